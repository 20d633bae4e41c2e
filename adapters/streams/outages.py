"""What is said of a Redis that is away: once why, however many streams that keeps away, and once its end."""

import structlog

from adapters.errors import Unavailable
from adapters.streams.connection import Away

log = structlog.get_logger(__name__)

_Where = tuple[str, str]  #: a stream, and what is done for it


class Outages:
    """Those of one bus."""

    def __init__(self) -> None:
        self._away: dict[_Where, str] = {}
        self._refused: dict[_Where, str] = {}

    def met(self, stream: str, step: str, error: Unavailable) -> None:
        """Something could not be done for a stream: its server is away, which is told once, or it refuses."""
        where, reason = (stream, step), str(error)
        if isinstance(error, Away):
            if reason not in self._away.values():
                log.warning("redis-away", reason=reason)
            self._away[where] = reason
            return
        self._answers(where)
        if self._refused.get(where) != reason:
            self._refused[where] = reason
            log.warning("stream-away", stream=stream, step=step, reason=reason)

    def over(self, stream: str, step: str) -> None:
        """It could be done."""
        self._answers((stream, step))
        if self._refused.pop((stream, step), None) is not None:
            log.info("stream-back", stream=stream, step=step)

    def forget(self, stream: str) -> None:
        """Nothing is done for the stream any more."""
        self._away = {where: reason for where, reason in self._away.items() if where[0] != stream}
        self._refused = {where: reason for where, reason in self._refused.items() if where[0] != stream}

    def _answers(self, where: _Where) -> None:
        if self._away.pop(where, None) is not None and not self._away:
            log.info("redis-back")
