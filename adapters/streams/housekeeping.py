"""Keeps Redis from growing: trims what nobody needs any more, and removes the names of dead consumers.

Only streams of ours are ever trimmed. Command and reply streams lose only what their own group has been delivered and
has settled; never by length, which would drop unread and pending entries (https://redis.io/docs/latest/commands/xtrim/).
"""

from typing import Any, cast

from adapters.streams.connection import text, translating
from adapters.streams.figures import is_missing
from adapters.streams.ids import parse_id
from adapters.streams.progress import rows
from adapters.streams.shared import Shared

TRIM_TOGETHER = 10_000  #: entries removed while Redis does nothing else, a millisecond or so: its own default
TRIMS = 100  #: one after the other: a million entries, of which no stream gets as many between two times

# In two steps, XPENDING and then DELCONSUMER, an entry that a paused consumer reads in between would vanish with it.
_REMOVE_CONSUMER = """
local group, name, min_idle = ARGV[1], ARGV[2], tonumber(ARGV[3])
for _, row in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], group)) do
  local consumer = {}
  for i = 1, #row, 2 do consumer[row[i]] = row[i + 1] end
  if consumer.name == name and consumer.pending == 0 and consumer.idle >= min_idle then
    redis.call('XGROUP', 'DELCONSUMER', KEYS[1], group, name)
    return 1
  end
end
return 0
"""


async def remove_consumer(shared: Shared, stream: str, group: str, name: bytes, min_idle_ms: int) -> bool:
    """Remove a consumer that has no heartbeat, nothing pending, and was idle that long: the last two in one step.

    In a cluster the heartbeat may be on another server. One that comes back meanwhile loses a name, and gets it again.
    """
    client = shared.client
    with translating():
        if await client.exists(shared.streams.heartbeat(stream, group, "").encode() + name):
            return False
        removed = await client.eval(_REMOVE_CONSUMER, 1, stream, group, name, str(min_idle_ms))
        if removed:
            await client.srem(shared.streams.known_consumers(stream, group), name)
    shared.counts.removed_consumers += int(removed)
    return bool(removed)


async def remove_dead_consumers(shared: Shared, stream: str, group: str) -> None:
    """Remove every consumer of the group that has been dead for long."""
    min_idle_ms = int(shared.settings.dead_consumer_idle_s * 1_000)
    with translating():
        consumers = await shared.client.xinfo_consumers(stream, group)
    for row in consumers:
        if not row["pending"] and row["idle"] >= min_idle_ms and row["name"] != shared.consumer.encode():
            await remove_consumer(shared, stream, group, row["name"], min_idle_ms)


async def trim_settled(shared: Shared, stream: str) -> None:
    """Trim a command or reply stream below everything that its own group has unread or pending."""
    group = shared.streams.own_group(stream)
    first_needed = None if group is None else await first_unsettled(shared, stream, group)
    if first_needed is not None:
        await _trim(shared, stream, minid=first_needed)


async def first_unsettled(shared: Shared, stream: str, group: str) -> str | None:
    """The id below which the group has been delivered and has settled everything; None where it is missing."""
    with translating():
        # One transaction: entries delivered between two separate looks would seem neither unread nor pending.
        answers = await shared.pipeline.at_once([("XINFO", "GROUPS", stream), ("XPENDING", stream, group)])
        for answer in answers:
            if isinstance(answer, Exception):
                if is_missing(answer):
                    return None  # A missing group has read nothing.
                raise answer
    groups, (_, lowest_pending, *_) = cast(Any, answers)
    delivered = next((row[b"last-delivered-id"] for row in rows(groups) or () if row[b"name"] == group.encode()), None)
    if delivered is None:
        return None
    milliseconds, sequence = parse_id(delivered)
    return text(lowest_pending) if lowest_pending else f"{milliseconds}-{sequence + 1}"


async def trim_events(shared: Shared) -> None:
    """Trim the events by age and number, whatever groups read them."""
    settings, stream = shared.settings, shared.streams.events
    with translating():
        seconds, _ = await shared.client.time()
    oldest_ms = int((int(seconds) - settings.events_age_s) * 1_000)
    await _trim(shared, stream, minid=str(oldest_ms))
    await _trim(shared, stream, maxlen=settings.events_maxlen)


async def _trim(shared: Shared, stream: str, *, minid: str | None = None, maxlen: int | None = None) -> None:
    """Trim whole nodes, some at a time: Redis removes no more than that anyway where it is to be quick (LIMIT)."""
    for _ in range(TRIMS):
        with translating():
            removed = int(
                await shared.client.xtrim(stream, maxlen=maxlen, minid=minid, approximate=True, limit=TRIM_TOGETHER)
            )
        shared.counts.trimmed += removed
        if not removed:
            return


async def forget_alone_counts(shared: Shared, stream: str, group: str) -> None:
    """Drop counts of entries that vanished: while nothing is pending, no count means anything."""
    with translating():
        pending = await shared.client.xpending(stream, group)
        if pending["pending"] == 0:
            await shared.client.delete(shared.streams.alone_counts(stream, group))
