"""Who listens in this process to what becomes of sagas: any number of listeners, and one reader for all of them.

The reader is there only while somebody listens. A listener that does not keep up is cut off, so that it costs nobody
else anything; it comes back and goes on where it was.
"""

import asyncio
from collections import defaultdict, deque
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from contextvars import Context
from dataclasses import dataclass
from typing import Any, Protocol

import structlog

from adapters.clock import Clock
from adapters.errors import Unavailable
from adapters.tasks import end
from orchestrator.change_reader import ChangeReader, News
from orchestrator.changes import ChangeFeed, Page, Position

log = structlog.get_logger(__name__)

CATCHING_UP = 4  #: looks for what listeners have missed that may be under way at once


class TooManyListeners(Exception):
    """There is no place for another one right now."""


@dataclass(frozen=True, slots=True)
class Room:
    """How many may listen, and what each of them may cost."""

    listeners: int = 1_000
    backlog: int = 10_000  #: events that may wait for one that is slow
    ping_s: float = 15.0  #: how often there is a sign of life


class ListenerObserver(Protocol):
    """Counts."""

    def listening(self, count: int) -> None:
        """So many listen now."""
        ...

    def told(self, events: int) -> None:
        """A listener was told so many events."""
        ...

    def cut_off(self) -> None:
        """A listener did not keep up."""
        ...


class Listener:
    """One client's place. `cut` is set when it did not keep up: then there is no more news."""

    def __init__(self, backlog: int) -> None:
        self._backlog = backlog
        self._queue: deque[News] = deque()
        self._waiting = 0
        self._arrived = asyncio.Event()
        self.saga_id: str | None = None  #: the one saga that it follows; None: every one
        self.cut = asyncio.Event()

    async def next(self) -> News:
        """What was put first."""
        while not self._queue:
            self._arrived.clear()
            await self._arrived.wait()
        news = self._queue.popleft()
        self._waiting -= len(news.events)
        return news

    def put(self, news: News) -> None:
        """Tell it; or cut it off, where it has too much to be told already."""
        if self._queue and self._waiting + len(news.events) > self._backlog:
            self._queue.clear()
            self.cut.set()
            return
        self._queue.append(news)
        self._waiting += len(news.events)
        self._arrived.set()

    def ping(self, position: Position) -> None:
        """A sign of life, for one that has nothing else to hear."""
        if not self._queue:
            self.put(News(position))


class Listeners:
    """All of this process."""

    def __init__(
        self,
        feed: ChangeFeed,
        clock: Clock,
        room: Room | None = None,
        observer: ListenerObserver | None = None,
    ) -> None:
        self.clock = clock
        self._feed = feed
        self._room = room or Room()
        self._observer = observer
        self._admitted: set[Listener] = set()
        self._following: defaultdict[str | None, set[Listener]] = defaultdict(set)
        self._catching_up = asyncio.Semaphore(CATCHING_UP)
        self._reader: ChangeReader | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self._admitted)

    @contextmanager
    def admit(self) -> Iterator[Listener]:
        """A place for a listener within the block; raises `TooManyListeners`."""
        if len(self._admitted) >= self._room.listeners:
            raise TooManyListeners
        listener = Listener(self._room.backlog)
        self._admitted.add(listener)
        self._count()
        try:
            yield listener
        finally:
            self._admitted.discard(listener)
            self._forget(listener)
            self._count()

    async def follow(self, listener: Listener, saga_id: str | None = None) -> Position:
        """From now on tell it of one saga, or of every one; the position with which that begins.

        Whoever reads from the store afterwards sees everything up to there. Raises `Unavailable`.
        """
        listener.saga_id = saga_id
        self._following[saga_id].add(listener)
        reader = self._reader
        if reader is None or reader.ended:
            reader = self._reader = ChangeReader(self._feed, self.clock, lambda: bool(self._following), self._tell)
            self._run(reader.run())
            self._run(self._ping(reader))
        await asyncio.shield(reader.begun)
        if reader.away is not None or reader.position is None:
            raise Unavailable("changes can't be read right now") from reader.away
        return reader.position

    async def missed(self, position: Position) -> Page:
        """The events right behind a position, in one look; raises as `ChangeFeed.read` does."""
        async with self._catching_up, self._feed.read(position) as changes:
            return await changes.page(0.0)

    def told(self, events: int) -> None:
        """A listener was told so many events."""
        if self._observer is not None:
            self._observer.told(events)

    async def stop(self) -> None:
        """Read no more."""
        await end(self._tasks)

    def _tell(self, news: News) -> None:
        if news.lost:
            for listener in self._followers():
                self._put(listener, news)
            return
        for listener in list(self._following.get(None, ())):
            self._put(listener, news)
        for event in news.events:
            for listener in list(self._following.get(event.saga_id, ())):
                self._put(listener, News(news.position, (event,)))

    def _put(self, listener: Listener, news: News) -> None:
        listener.put(news)
        if listener.cut.is_set():
            self._forget(listener)
            log.warning("listener-cut-off", reason="it does not keep up; it may come back and go on where it was")
            if self._observer is not None:
                self._observer.cut_off()

    def _followers(self) -> list[Listener]:
        return [listener for followers in self._following.values() for listener in followers]

    def _forget(self, listener: Listener) -> None:
        followers = self._following.get(listener.saga_id, set())
        followers.discard(listener)
        if not followers:
            self._following.pop(listener.saga_id, None)

    async def _ping(self, reader: ChangeReader) -> None:
        while not reader.ended:
            await self.clock.sleep(self._room.ping_s)
            if reader.position is not None:
                for listener in self._followers():
                    listener.ping(reader.position)

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work, context=Context())  # It is no part of the request that happens to begin it.
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _count(self) -> None:
        if self._observer is not None:
            self._observer.listening(len(self._admitted))
