"""Sends again what is awaited, when Redis has lost the group of a reply stream, and with it maybe every command."""

from collections.abc import Callable, Collection
from datetime import datetime, timedelta

import structlog

from adapters.errors import Unavailable
from orchestrator.engine import Engine, PartlySent
from orchestrator.shares import Share

log = structlog.get_logger(__name__)

TOGETHER = timedelta(seconds=5)  #: streams that were lost at once are found to be within that time
FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=1), timedelta(minutes=1)  #: while a stream refuses; doubling


class SendingAgain:
    """Called with each reply stream whose group was lost; sends once for all that were lost together."""

    def __init__(self, engine: Engine, share: Callable[[], Share], streams: Callable[[], Collection[str]]) -> None:
        self._engine = engine
        self._share = share
        self._streams = streams  #: the reply streams that are read here
        self._covered: set[str] = set()  #: those whose loss the newest sending has answered already
        self._covered_until: datetime | None = None  #: None while it is under way
        self._pause = FIRST_PAUSE
        self._not_before = engine.clock.now()

    async def __call__(self, stream: str) -> None:
        """Raises `Unavailable`: then it is to be called again."""
        clock = self._engine.clock
        if stream in self._covered:
            self._covered.remove(stream)
            if self._covered_until is None or clock.now() < self._covered_until:
                return
        if clock.now() < self._not_before:
            raise Unavailable("a stream has refused what was sent again; it is tried again later")
        self._covered, self._covered_until = set(self._streams()) - {stream}, None
        try:
            await self._send()
        except BaseException as error:
            self._covered.clear()
            if isinstance(error, PartlySent):  # Else nothing was sent: at once, when Redis is back.
                self._not_before = clock.now() + self._pause
                self._pause = min(self._pause * 2, LONGEST_PAUSE)
            raise
        self._pause = FIRST_PAUSE
        self._covered_until = clock.now() + TOGETHER

    async def _send(self) -> None:
        self._engine.announcer.interrupted()
        count = await self._engine.resend(share=self._share())
        if count:
            log.warning("sent-again", sagas=count, reason="Redis has lost its streams")
