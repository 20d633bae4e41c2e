"""What is said of a Redis that is away: once why, however many streams that keeps away, and once its end."""

import structlog

from adapters.errors import Unavailable
from adapters.streams.connection import Silent

log = structlog.get_logger(__name__)

_Where = tuple[str, str]  #: a stream, and what is done for it


class Outages:
    """Those of one bus."""

    def __init__(self) -> None:
        self._streams: dict[_Where, str] = {}
        self._servers: dict[_Where, str] = {}

    def met(self, stream: str, step: str, error: Unavailable) -> None:
        """Something could not be done for a stream: its server is silent, which is told once, or it refuses."""
        where, reason = (stream, step), str(error)
        if isinstance(error, Silent):
            if reason not in self._servers.values():
                log.warning("redis-away", reason=reason)
            self._servers[where] = reason
        elif self._streams.get(where) != reason:
            self._streams[where] = reason
            log.warning("stream-away", stream=stream, step=step, reason=reason)

    def forget(self, stream: str) -> None:
        """Nothing is done for the stream any more."""
        for known in (self._servers, self._streams):
            for where in [each for each in known if each[0] == stream]:
                del known[where]

    def over(self, stream: str, step: str) -> None:
        """It could be done."""
        where = (stream, step)
        if self._servers.pop(where, None) is not None and not self._servers:
            log.info("redis-back")
        if self._streams.pop(where, None) is not None:
            log.info("stream-back", stream=stream, step=step)
