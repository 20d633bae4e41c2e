"""Keeps Redis from growing: trims what nobody needs any more, and removes the names of dead consumers.

Only streams of ours are ever trimmed. Command and reply streams lose only what their own group has been delivered and
has settled; never by length, which would drop unread and pending entries (https://redis.io/docs/latest/commands/xtrim/).
"""

from redis.exceptions import ResponseError

from adapters.streams.connection import text, translating
from adapters.streams.ids import parse_id
from adapters.streams.shared import Shared

# In two steps, XPENDING and then DELCONSUMER, an entry that a paused consumer reads in between would vanish with it.
_REMOVE_CONSUMER = """
local group, name, min_idle = ARGV[1], ARGV[2], tonumber(ARGV[3])
if redis.call('EXISTS', KEYS[2]) == 1 then return 0 end
for _, row in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], group)) do
  local consumer = {}
  for i = 1, #row, 2 do consumer[row[i]] = row[i + 1] end
  if consumer.name == name and consumer.pending == 0 and consumer.idle >= min_idle then
    redis.call('XGROUP', 'DELCONSUMER', KEYS[1], group, name)
    redis.call('SREM', KEYS[3], name)
    return 1
  end
end
return 0
"""


async def remove_consumer(shared: Shared, stream: str, group: str, name: bytes, min_idle_ms: int) -> bool:
    """Remove a consumer that has no heartbeat, nothing pending, and was idle that long: in one atomic step."""
    heartbeat = shared.streams.heartbeat(stream, group, "").encode() + name
    known = shared.streams.known_consumers(stream, group)
    with translating():
        removed = await shared.client.eval(_REMOVE_CONSUMER, 3, stream, heartbeat, known, group, name, str(min_idle_ms))
    shared.counts.removed_consumers += int(removed)
    return bool(removed)


async def remove_dead_consumers(shared: Shared, stream: str, group: str) -> None:
    """Remove every consumer of the group that has been dead for long."""
    min_idle_ms = int(shared.settings.dead_consumer_idle_s * 1_000)
    with translating():
        rows = await shared.client.xinfo_consumers(stream, group)
    for row in rows:
        if not row["pending"] and row["idle"] >= min_idle_ms and row["name"] != shared.consumer.encode():
            await remove_consumer(shared, stream, group, row["name"], min_idle_ms)


async def trim_settled(shared: Shared, stream: str) -> None:
    """Trim a command or reply stream below everything that its own group has unread or pending."""
    group = shared.streams.own_group(stream)
    first_needed = None if group is None else await first_unsettled(shared, stream, group)
    if first_needed is not None:
        with translating():
            shared.counts.trimmed += int(await shared.client.xtrim(stream, minid=first_needed, approximate=True))


async def first_unsettled(shared: Shared, stream: str, group: str) -> str | None:
    """The id below which the group has been delivered and has settled everything; None where it is missing."""
    with translating():
        # One transaction: entries delivered between two separate looks would seem neither unread nor pending.
        pipeline = shared.client.pipeline(transaction=True)
        pipeline.xinfo_groups(stream)
        pipeline.xpending(stream, group)
        try:
            groups, pending = await pipeline.execute()
        except ResponseError as error:
            if "NOGROUP" in str(error) or "no such key" in str(error):
                return None  # A missing group has read nothing.
            raise
        delivered = next((row["last-delivered-id"] for row in groups if row["name"] == group.encode()), None)
    if delivered is None:
        return None
    milliseconds, sequence = parse_id(delivered)
    return text(pending["min"]) if pending["min"] else f"{milliseconds}-{sequence + 1}"


async def trim_events(shared: Shared) -> None:
    """Trim the events by age and number, whatever groups read them."""
    settings, stream = shared.settings, shared.streams.events
    with translating():
        seconds, _ = await shared.client.time()
        oldest_ms = int((int(seconds) - settings.events_age_s) * 1_000)
        shared.counts.trimmed += int(await shared.client.xtrim(stream, minid=str(oldest_ms), approximate=True))
        shared.counts.trimmed += int(await shared.client.xtrim(stream, maxlen=settings.events_maxlen, approximate=True))


async def forget_alone_counts(shared: Shared, stream: str, group: str) -> None:
    """Drop counts of entries that vanished: while nothing is pending, no count means anything."""
    with translating():
        pending = await shared.client.xpending(stream, group)
        if pending["pending"] == 0:
            await shared.client.delete(shared.streams.alone_counts(stream, group))
