"""Sends again what is awaited, when Redis has lost the group of a reply stream, and with it maybe every command."""

from collections.abc import Callable, Collection
from datetime import datetime, timedelta

import structlog

from orchestrator.engine import Engine
from orchestrator.shares import Share

log = structlog.get_logger(__name__)

TOGETHER = timedelta(seconds=5)  #: streams that were lost at once are found to be within that time


class SendingAgain:
    """Called with each reply stream whose group was lost; sends once for all that were lost together."""

    def __init__(self, engine: Engine, share: Callable[[], Share], streams: Callable[[], Collection[str]]) -> None:
        self._engine = engine
        self._share = share
        self._streams = streams  #: the reply streams that are read here
        self._covered: set[str] = set()  #: those whose loss the newest sending has answered already
        self._covered_until: datetime | None = None  #: None while it is under way

    async def __call__(self, stream: str) -> None:
        """Raises `Unavailable`: then it is to be called again."""
        clock = self._engine.clock
        if stream in self._covered:
            self._covered.remove(stream)
            if self._covered_until is None or clock.now() < self._covered_until:
                return
        self._covered, self._covered_until = set(self._streams()) - {stream}, None
        try:
            await self._send()
        except BaseException:
            self._covered.clear()
            raise
        self._covered_until = clock.now() + TOGETHER

    async def _send(self) -> None:
        self._engine.announcer.interrupted()
        count = await self._engine.resend(None, share=self._share())
        if count:
            log.warning("sent-again", sagas=count, reason="Redis has lost its streams")
