"""Dead letters on Redis: what one causes, and which of that its burial can do without."""

import structlog

from adapters.bus import Delivery, Entry
from adapters.errors import Unavailable
from adapters.streams.publisher import Forbidden, WrongType
from adapters.streams.shared import Shared
from adapters.streams.verdicts import dead_letters, names, without_words

log = structlog.get_logger(__name__)


async def bury(shared: Shared, delivery: Delivery, reason: str) -> tuple[Entry, ...]:
    """The entries that a dead letter causes; the application has its copy first, for Redis may lose ours."""
    log.warning("entry-dead", **names(delivery), reason=without_words(reason))
    await _tell(shared, delivery, reason)
    return dead_letters(delivery, reason, shared.clock.now(), shared.streams)


async def _tell(shared: Shared, delivery: Delivery, reason: str) -> None:
    if shared.on_dead is None:
        return
    try:
        await shared.on_dead(delivery, reason)
    except Unavailable:
        raise
    except Exception as error:  # The letter itself is safe; a failing copy must not block the stream.
        log.error("dead-letter-copy-failed", **names(delivery), exc_info=error)


def can_do_without(shared: Shared, entry: Entry, error: Unavailable, *, foreign: bool) -> bool:
    """Whether it can do without this entry, which will never be taken. `foreign`: the letter was on others' stream."""
    if not shared.streams.is_dead(entry.stream):
        # A dead command may well name no stream in `replyto`: that must not keep it from being buried.
        return isinstance(error, WrongType)
    # Beside a stream of others we may write nothing; the copy that the application has must do then.
    return foreign and isinstance(error, WrongType | Forbidden)
