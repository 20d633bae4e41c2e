"""What has become of sagas, in the order in which it was stored: the port, and the values that go through it.

`MongoChangeFeed` (mongo_changes.py) and `MemoryChangeFeed` (memory_changes.py) pass one contract suite.
"""

import re
from collections.abc import Iterable, Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from orchestrator.core.state import Transition

ID_PATTERN = r"([0-9A-F]{16,2000})(?:\.([0-9]{4}))?"

_ID = re.compile(ID_PATTERN)


@dataclass(frozen=True, slots=True)
class SagaEvent:
    """One transition of one saga."""

    id: str  #: the position right behind it: whoever goes on from here misses nothing, and gets nothing twice
    change: str  #: the position of the write; the events of one write share it
    saga_id: str
    saga: str
    version: int
    transition: Transition


@dataclass(frozen=True, slots=True)
class Page:
    """Events in order, and the position behind them; it moves on also while nothing happens."""

    events: tuple[SagaEvent, ...]
    position: "Position"


@dataclass(frozen=True, slots=True)
class Position:
    """Where in the stream: behind a write, or behind the first `told` events of the write that follows it.

    Tokens compare as strings: what is greater is later.
    """

    token: str
    told: int = 0

    @classmethod
    def parse(cls, text: str) -> "Position | None":
        """What an event's `id` says; None where it is none."""
        found = _ID.fullmatch(text)
        return found and cls(found[1], int(found[2] or 0))

    @property
    def id(self) -> str:
        """As `parse` takes it."""
        return f"{self.token}.{self.told:04}" if self.told else self.token

    def ids(self, token: str, count: int) -> Iterator[str]:
        """The ids of the events of one write, which has this token and comes next after this position."""
        yield from (Position(self.token, told).id for told in range(1, count))
        if count:
            yield token


class Changes(Protocol):
    """An open stream."""

    @property
    def position(self) -> Position:
        """Everything up to here has been read."""
        ...

    async def page(self, wait_s: float) -> Page:
        """The next events; none where nothing happens within that time.

        Raises `Unavailable`, and `PositionLost` where what happened since the position is not known any more.
        """
        ...


class ChangeFeed(Protocol):
    """Where changes are read."""

    def read(self, after: Position | None) -> AbstractAsyncContextManager[Changes]:
        """A stream that begins after a position, or with what is written from now on.

        In the second case everything written before is seen by whoever reads from the store afterwards. Raises as
        `page` does.
        """
        ...


def events_of(
    before: Position, token: str, whose: tuple[str, str, int], transitions: Iterable[Transition]
) -> tuple[SagaEvent, ...]:
    """The events of one write that nobody was told yet. `whose`: the saga's id, its name and version."""
    entries = list(transitions)
    events = [
        SagaEvent(event_id, token, *whose, entry)
        for event_id, entry in zip(before.ids(token, len(entries)), entries, strict=True)
    ]
    return tuple(events[before.told :])
