"""Removes what nobody needs any more: batch after batch until nothing is left, and now and then again."""

from collections.abc import Awaitable, Callable

import structlog

from adapters.clock import Clock
from adapters.errors import Conflict, Unavailable

log = structlog.get_logger(__name__)

LOOK_EVERY_S = 60.0
RESTS = 4  #: a batch is followed by a pause that many times as long: whoever serves customers has the server first


async def keep_purging(what: str, purge: Callable[[], Awaitable[int]], clock: Clock) -> None:
    """Purge for ever. `purge` removes one batch and says how many; 0: nothing is left, or somebody else is at it.

    A server that is away is waited for, an unexpected error is logged and survived.
    """
    while True:
        total = 0
        try:
            while count := await _timed(purge, clock):
                total += count
        except (Conflict, Unavailable) as error:
            log.warning("purge-interrupted", what=what, reason=str(error))
        except Exception:
            log.exception("purge-failed", what=what)
        if total:
            log.info("purged", what=what, count=total)
        await clock.sleep(LOOK_EVERY_S)


async def _timed(purge: Callable[[], Awaitable[int]], clock: Clock) -> int:
    begun = clock.now()
    count = await purge()
    if count:
        await clock.sleep(RESTS * max((clock.now() - begun).total_seconds(), 0.001))
    return count
