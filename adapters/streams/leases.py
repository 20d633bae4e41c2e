"""Leases: keys that name their holder and end by themselves.

Nothing that must be right depends on one: who was paused believes in its lease until it asks again.
"""

from collections.abc import Collection, Mapping, Sequence

from adapters.streams.connection import text
from adapters.streams.pipeline import answered
from adapters.streams.shared import Shared

_TAKE = """
local holder = redis.call('GET', KEYS[1])
if not holder or holder == ARGV[1] then redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2]) end
"""
_RELEASE = "if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end"


async def lease(shared: Shared, wanted: Collection[str], names: Sequence[str]) -> Mapping[str, str]:
    """Take or renew each wanted name that nobody else holds; then who holds which of the names."""
    if not names:
        return {}
    taking = [("EVAL", _TAKE, 1, name, shared.consumer, shared.settings.heartbeat_ms) for name in wanted]
    holders = (await answered(shared.pipeline, [*taking, *(("GET", name) for name in names)]))[len(taking) :]
    return {name: text(holder) for name, holder in zip(names, holders, strict=True) if holder is not None}


async def release(shared: Shared, names: Collection[str]) -> None:
    """Give up those of the names that this consumer holds."""
    if names:
        await answered(shared.pipeline, [("EVAL", _RELEASE, 1, name, shared.consumer) for name in names])
