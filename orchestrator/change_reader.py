"""Reads changes for as long as somebody wants them, whatever goes away meanwhile. Nothing is left out or told twice."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from adapters.clock import Clock
from adapters.errors import PositionLost, Unavailable
from orchestrator.changes import ChangeFeed, Changes, Position, SagaEvent

log = structlog.get_logger(__name__)

WAIT_S = 0.5  #: how long one look for changes may take; the reader ends within that time
GATHER_S = 0.005  #: pause after a page with events, so that a busy service is not read write by write
BACKOFF_S = (0.1, 0.2, 0.5, 1.0, 2.0)  #: pauses while MongoDB is away; the last one again and again


@dataclass(frozen=True, slots=True)
class News:
    """What comes next. Without events it is a sign of life."""

    position: Position  #: everything up to here has been told
    events: tuple[SagaEvent, ...] = ()
    lost: bool = False  #: what happened before the position may not have been told


class ChangeReader:
    """Reads a feed while it is `wanted`, and passes on what it reads. Once `ended` it is not used again."""

    def __init__(
        self, feed: ChangeFeed, clock: Clock, wanted: Callable[[], bool], tell: Callable[[News], None]
    ) -> None:
        self._feed = feed
        self._clock = clock
        self._wanted = wanted
        self._tell = tell
        self._after: Position | None = None  #: None: what comes from now on
        self.position: Position | None = None  #: everything up to here has been told; None: nothing was read yet
        self._lost = False  #: what was before `_after` may not have been told, and nobody knows of that yet
        self._failures = 0
        self.away: Exception | None = None  #: why nothing can be read right now
        self.begun: asyncio.Future[None] = asyncio.get_running_loop().create_future()  #: it reads, or knows why not
        self.ended = False

    async def run(self) -> None:
        """Read until nobody wants it any more."""
        try:
            while self._wanted():
                try:
                    await self._read()
                except PositionLost as error:
                    log.warning("changes-lost", reason=str(error))
                    self._lost, self._after = True, None
                    await self._pause(error)
                except Unavailable as error:
                    await self._pause(error)
                except Exception as error:
                    log.exception("changes-unreadable")
                    await self._pause(error)
        finally:
            self.ended = True
            self._has_begun()

    async def _read(self) -> None:
        async with self._feed.read(self._after) as changes:
            self.away = None
            self._at(changes.position)
            self._has_begun()
            if self._lost:
                self._lost = False
                self._tell(News(changes.position, lost=True))
            while self._wanted():
                await self._page(changes)

    async def _page(self, changes: Changes) -> None:
        page = await changes.page(WAIT_S)
        self._failures = 0
        self._at(page.position)
        if page.events:
            self._tell(News(page.position, page.events))
            await self._clock.sleep(GATHER_S)

    def _at(self, position: Position) -> None:
        self._after = self.position = position

    async def _pause(self, error: Exception) -> None:
        if self.away is None:
            log.warning("changes-away", reason=str(error))
        self.away = error
        self._has_begun()
        pause_s = BACKOFF_S[min(self._failures, len(BACKOFF_S) - 1)]
        self._failures += 1
        await self._clock.sleep(pause_s)

    def _has_begun(self) -> None:
        if not self.begun.done():
            self.begun.set_result(None)
