"""The bus: what the orchestrator and the participants need of Redis Streams, and nothing more.

Two implementations pass one contract suite (tests/contracts/test_bus_contract.py): `adapters/streams/` on Redis,
and `adapters/memory_bus.py` for tests and simulated failure runs. Callers treat the bus as one that may lose,
repeat, delay and reorder anything.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from adapters.errors import Unavailable
from sagas.values import dataclass


@dataclass(frozen=True, slots=True)
class Entry:
    """One stream entry to publish: flat text fields."""

    stream: str
    fields: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Delivery:
    """One stream entry as a consumer gets it."""

    stream: str
    entry_id: str
    fields: Mapping[str, str]
    redelivered: bool = False  #: claimed from another consumer, or delivered before: it comes by itself
    suspect: bool = False  #: the same has happened before: it may be what its process died of


@dataclass(frozen=True, slots=True)
class Ack:
    """Settled: publish what it caused, then acknowledge it (only once every one of these XADDs succeeded)."""

    publish: tuple[Entry, ...] = ()


@dataclass(frozen=True, slots=True)
class Leave:
    """Not settled: leave it pending; it is delivered again, by itself, and after N such times it is a dead letter."""

    reason: str


@dataclass(frozen=True, slots=True)
class Dead:
    """Can never be handled (undecodable, say): to `{stream}.dead` with the reason, then acknowledged."""

    reason: str


Verdict = Ack | Leave | Dead


@dataclass(frozen=True, slots=True)
class Later:
    """Not known yet: other entries are handled meanwhile, but for a suspect. Where it raises, the entry stays pending.

    Whoever gets it awaits or cancels it.
    """

    verdict: asyncio.Future[Verdict]


#: Gets a batch in stream order and returns one verdict for each delivery. `Unavailable` leaves the whole batch
#: pending and is never counted; any other exception leaves it pending too, and each entry comes again by itself.
Handler = Callable[[Sequence[Delivery]], Awaitable[Sequence[Verdict | Later]]]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a stream's group has come, by our clock.

    What was published before such a time has been delivered, or settled; something published at it has not. `None`
    where nothing is left.
    """

    delivered_until: datetime | None
    settled_until: datetime | None  #: what was delivered to somebody who died is not settled


class Places(Protocol):
    """Remembers how far streams of others have been settled, where losing Redis doesn't lose it too.

    Both raise `Unavailable`.
    """

    async def begin(self, stream: str, entry_id: str) -> str:
        """Remember the id for the stream unless one is remembered; the one that is remembered now."""
        ...

    async def advance(self, stream: str, entry_id: str) -> None:
        """Everything up to the id is settled."""
        ...


@dataclass(frozen=True, slots=True)
class Foreign:
    """What a subscription needs on a stream that others own: it is never trimmed, and its past is not ours.

    The group is made where reading begins the first time; one that was lost goes on behind what was settled, maybe with
    some of that again, and on a stream that was wiped too at its beginning.
    """

    beginning: bool  #: the first time read what is on the stream already, too
    places: Places
    room: Callable[[], int]  #: how many entries may be read now; the others wait on their stream


@dataclass(frozen=True, slots=True)
class Subscription:
    """Who reads a stream. `group` is created at id 0, before anything is published, unless the stream is foreign."""

    stream: str
    group: str
    handler: Handler
    on_healed: Callable[[str], Awaitable[None]] | None = (
        None  #: called with the stream when a lost group was made again
    )
    foreign: Foreign | None = None
    at_once: int = 1  #: batches that the handler may be given before it is done with the first of them


#: Called with what is about to be published; what it returns gets the results. Neither may raise.
OnPublish = Callable[[Sequence[Entry]], Callable[[Sequence[Unavailable | None]], None]]

#: Called with what is about to be acknowledged; what it returns is called once it is. Neither may raise.
OnSettle = Callable[[Sequence[Delivery]], Callable[[], None]]


class Bus(Protocol):
    """Streams with consumer groups."""

    @property
    def consumer(self) -> str:
        """This process's name on the server: no other living one has it."""
        ...

    @property
    def in_order(self) -> bool:
        """Whether `publish` puts entries on their streams in the order given, wherever it breaks off.

        Not so where streams are on several servers.
        """
        ...

    @property
    def renew_every_s(self) -> float:
        """How often a lease is to be renewed."""
        ...

    async def publish(self, entries: Sequence[Entry]) -> Sequence[Unavailable | None]:
        """Append the entries in order, in one round trip; one result each, `None` where the entry is on its stream."""
        ...

    async def progress(self, groups: Mapping[str, str]) -> Mapping[str, Progress]:
        """How far each stream's group has come, by stream. `groups` maps stream to group.

        A group that is missing has been delivered nothing: it will be made again at the beginning. A stream that can't
        be asked is missing, and makes no other seem further than it is; raises `Unavailable` where none can be.
        """
        ...

    async def unsettled(self, groups: Mapping[str, str]) -> Collection[str]:
        """The streams, of those that `groups` maps to their groups, with anything unread or unacknowledged.

        Raises `Unavailable`.
        """
        ...

    async def lease(self, wanted: Collection[str], names: Sequence[str]) -> Mapping[str, str]:
        """Take or renew each wanted name that nobody else holds; then who holds which of the names, by name.

        A lease ends by itself a few seconds after it was renewed last. It excludes nobody for certain: one that was
        paused believes in its lease until it asks again. Raises `Unavailable`.
        """
        ...

    async def release(self, names: Collection[str]) -> None:
        """Give up those of the names that this process holds. Raises `Unavailable`."""
        ...

    def subscribe(self, subscription: Subscription) -> None:
        """Register a subscription; one that comes after `start` is read at once."""
        ...

    async def unsubscribe(self, stream: str) -> None:
        """Read the stream no more, once the batch in hand is done; what stays unsettled is for others to take over."""
        ...

    async def start(self) -> None:
        """Begin to deliver. Returns at once also while the server is away: it keeps trying."""
        ...

    async def stop(self) -> None:
        """Finish the batches in hand, then stop delivering."""
        ...

    async def problems(self) -> Sequence[str]:
        """What is wrong right now, in words, for `/readyz`; empty when every subscription is alive."""
        ...
