"""The in-memory twin of the change feed, for tests and simulated failure runs. Same contract suite as MongoDB's."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from adapters.errors import PositionLost, Unavailable
from orchestrator.changes import Page, Position, SagaEvent, events_of
from orchestrator.core.state import SagaState, Transition

LOG_LIMIT = 10_000  #: writes that are remembered
PAGE = 1_000


@dataclass(frozen=True, slots=True)
class _Write:
    number: int
    state: SagaState
    transitions: tuple[Transition, ...]


class MemoryChangeFeed:
    """The writes of a `MemorySagaStore`, which tells it of each."""

    def __init__(self, is_away: Callable[[], bool], limit: int = LOG_LIMIT) -> None:
        self._is_away = is_away
        self._writes: deque[_Write] = deque(maxlen=limit)
        self._count = 0
        self._waiting: set[asyncio.Future[None]] = set()
        self.open = 0  #: streams that are read right now

    def append(self, state: SagaState, transitions: Sequence[Transition]) -> None:
        """A saga was written, with these new transitions."""
        self._count += 1
        self._writes.append(_Write(self._count, state, tuple(transitions)))
        for future in self._waiting:
            if not future.done():
                future.set_result(None)

    def forget(self) -> None:
        """Remember none of the writes so far, as if they were too long ago."""
        self._writes.clear()

    @asynccontextmanager
    async def read(self, after: Position | None) -> AsyncIterator["MemoryChanges"]:
        self.since(int((after or self.now()).token, 16))
        self.open += 1
        try:
            yield MemoryChanges(self, after or self.now())
        finally:
            self.open -= 1

    def now(self) -> Position:
        """Behind the newest write."""
        return Position(_token(self._count))

    def since(self, number: int) -> list[_Write]:
        """The writes behind that one."""
        if self._is_away():
            raise Unavailable("the store is away")
        if number < self._count - len(self._writes):
            raise PositionLost("the writes since then are forgotten")
        return [write for write in self._writes if write.number > number][:PAGE]

    async def wait(self, within_s: float) -> None:
        """Until something is written."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.add(future)
        try:
            await asyncio.wait([future], timeout=within_s)
        finally:
            self._waiting.discard(future)


class MemoryChanges:
    """An open stream of a feed."""

    def __init__(self, feed: MemoryChangeFeed, begin: Position) -> None:
        self._feed = feed
        self._at = begin

    @property
    def position(self) -> Position:
        return self._at

    async def page(self, wait_s: float) -> Page:
        writes = self._feed.since(int(self._at.token, 16))
        if not writes:
            await self._feed.wait(wait_s)
            writes = self._feed.since(int(self._at.token, 16))
        events: list[SagaEvent] = []
        for write in writes:
            token, state = _token(write.number), write.state
            events += events_of(self._at, token, (state.id, state.saga, state.version), write.transitions)
            self._at = Position(token)
        return Page(tuple(events), self._at)


def _token(number: int) -> str:
    return f"{number:020X}"
