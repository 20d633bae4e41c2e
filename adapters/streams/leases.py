"""Leases: keys that name their holder and end by themselves.

Nothing that must be right depends on one: who was paused believes in its lease until it asks again.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from adapters.streams.connection import text, translating
from adapters.streams.shared import Shared

_TAKE = """
for _, key in ipairs(KEYS) do
  local holder = redis.call('GET', key)
  if not holder or holder == ARGV[1] then redis.call('SET', key, ARGV[1], 'PX', ARGV[2]) end
end
"""
_RELEASE = """
for _, key in ipairs(KEYS) do
  if redis.call('GET', key) == ARGV[1] then redis.call('DEL', key) end
end
"""


async def lease(shared: Shared, wanted: Collection[str], names: Sequence[str]) -> Mapping[str, str]:
    """Take or renew each wanted name that nobody else holds; then who holds which of the names."""
    if not names:
        return {}
    with translating():
        pipeline = shared.client.pipeline(transaction=False)
        if wanted:
            pipeline.eval(_TAKE, len(wanted), *wanted, shared.consumer, str(shared.settings.heartbeat_ms))
        pipeline.mget(names)
        holders: Any = (await pipeline.execute())[-1]
    return {name: text(holder) for name, holder in zip(names, holders, strict=True) if holder is not None}


async def release(shared: Shared, names: Collection[str]) -> None:
    """Give up those of the names that this consumer holds."""
    if names:
        with translating():
            await shared.client.eval(_RELEASE, len(names), *names, shared.consumer)
