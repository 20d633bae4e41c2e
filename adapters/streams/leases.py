"""Leases: keys that name their holder and end by themselves.

Nothing that must be right depends on one: who was paused believes in its lease until it asks again.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from adapters.streams.connection import text, translating
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
    with translating():
        pipeline = shared.client.pipeline(transaction=False)
        for name in wanted:
            pipeline.eval(_TAKE, 1, name, shared.consumer, str(shared.settings.heartbeat_ms))
        for name in names:
            pipeline.get(name)
        holders: Any = (await pipeline.execute())[len(wanted) :]
    return {name: text(holder) for name, holder in zip(names, holders, strict=True) if holder is not None}


async def release(shared: Shared, names: Collection[str]) -> None:
    """Give up those of the names that this consumer holds."""
    if names:
        with translating():
            pipeline = shared.client.pipeline(transaction=False)
            for name in names:
                pipeline.eval(_RELEASE, 1, name, shared.consumer)
            await pipeline.execute()
