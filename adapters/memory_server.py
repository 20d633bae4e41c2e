"""What Redis is for the buses in memory: streams, their groups, and the faults that tests inject."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from adapters.bus import Delivery, Entry
from adapters.clock import Clock
from adapters.errors import Unavailable


class Reader(Protocol):
    """A bus that reads from the server."""

    changed: asyncio.Event  #: there may be something to do
    alive: bool  #: one that is not loses what it held to the others

    def reads(self, stream: str) -> bool:
        """Whether something here is subscribed to the stream."""
        ...


@dataclass(slots=True)
class Pending:
    """An entry that was delivered and not yet settled."""

    delivery: Delivery
    owner: Reader
    alone: int = 0  #: how often it was handled alone
    in_hand: bool = True

    def is_left_to(self, reader: Reader) -> bool:
        """Whether the reader may try it again: its own, that of a dead one, or of one that reads this no more."""
        if self.in_hand:
            return not self.owner.alive
        return self.owner is reader or not self.owner.alive or not self.owner.reads(self.delivery.stream)


@dataclass(slots=True)
class Group:
    """A consumer group: how far it was delivered, and what of that is not settled."""

    delivered: int = 0
    pending: dict[str, Pending] = field(default_factory=dict)


class MemoryServer:
    """The server. Buses that are given the same one share its streams, as processes share one Redis."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._sequence = 0
        self._names = 0
        self.streams: dict[str, list[tuple[Delivery, datetime]]] = {}  #: every entry ever added, with its time
        self.groups: dict[tuple[str, str], Group] = {}
        self.leases: dict[str, tuple[str, datetime]] = {}  #: by name, who holds it and until when
        self.down = False  #: nothing is published, delivered or acknowledged
        self.refused: set[str] = set()  #: streams that accept no entry and tell nothing
        self.buses: list[Reader] = []  #: whoever may have to look when something has changed

    def new_name(self) -> str:
        """For one more bus."""
        self._names += 1
        return f"bus-{self._names}"

    def flush(self) -> None:
        """Lose everything, as FLUSHALL does."""
        self.streams.clear()
        self.groups.clear()
        self.leases.clear()
        self.wake()

    def destroy_group(self, stream: str, group: str) -> None:
        """Lose one group with all that it had pending, as XGROUP DESTROY does."""
        self.groups.pop((stream, group), None)
        self.wake()

    def lease(self, holder: str, wanted: Collection[str], for_s: float) -> Mapping[str, str]:
        """Who holds what, once the holder has taken or renewed what it wants and nobody else has."""
        self.check()
        now = self._clock.now()
        self.leases = {name: held for name, held in self.leases.items() if held[1] > now}
        for name in wanted:
            if self.leases.get(name, (holder, now))[0] == holder:
                self.leases[name] = (holder, now + timedelta(seconds=for_s))
        return {name: held for name, (held, _) in self.leases.items()}

    def release(self, holder: str, names: Collection[str]) -> None:
        """Give up those of the names that the holder has."""
        holders = self.lease(holder, (), 0)
        for name in names:
            if holders.get(name) == holder:
                del self.leases[name]

    def ids(self, stream: str) -> Sequence[str]:
        """The ids of what is on a stream, oldest first."""
        return [delivery.entry_id for delivery, _ in self.streams.get(stream, ())]

    def add(self, entry: Entry) -> Unavailable | None:
        """Append an entry."""
        if self.down or entry.stream in self.refused:
            return Unavailable(f"{entry.stream} accepts nothing")
        now = self._clock.now()
        self._sequence += 1
        entry_id = f"{int(now.timestamp() * 1_000)}-{self._sequence}"
        self.streams.setdefault(entry.stream, []).append((Delivery(entry.stream, entry_id, dict(entry.fields)), now))
        self.wake(entry.stream)
        return None

    def entries(self, stream: str) -> Sequence[Mapping[str, str]]:
        """The fields of what is on a stream, oldest first."""
        return [delivery.fields for delivery, _ in self.streams.get(stream, ())]

    def wake(self, stream: str | None = None) -> None:
        """Make every bus look again, or only those that read the stream."""
        for bus in self.buses:
            if stream is None or bus.reads(stream):
                bus.changed.set()

    def check(self) -> None:
        """Raise `Unavailable` while the server is down."""
        if self.down:
            raise Unavailable("the server is down")

    def pending(self, stream: str, group: str, entry_id: str) -> Pending | None:
        """The entry, where the group that is there now has it and it is not settled."""
        found = self.groups.get((stream, group))
        return None if found is None else found.pending.get(entry_id)

    def acknowledge(self, stream: str, group: str, entry_id: str) -> None:
        """As XACK: in the group that is there now, by whomever."""
        if (stream, group) in self.groups:
            self.groups[stream, group].pending.pop(entry_id, None)

    def first(self, stream: str, name: str, *, settled: bool) -> datetime | None:
        """When the first entry came that its group was not given yet, or has not settled."""
        group = self.groups.get((stream, name), Group())
        entries, first = self.streams.get(stream, []), group.delivered
        if settled and group.pending:
            first = next(n for n, (delivery, _) in enumerate(entries) if delivery.entry_id in group.pending)
        return entries[first][1] if first < len(entries) else None
