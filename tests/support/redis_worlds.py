"""A Redis of the test's own, buses on it, and consumers that die."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from redis.exceptions import RedisError

from adapters.bus import Handler, Subscription
from adapters.servers import RedisServer
from adapters.streams.redis_bus import RedisBus
from adapters.streams.settings import StreamSettings
from support.buses import FAST, RedisWorld
from support.waiting import eventually

VICTIM = Path(__file__).parents[1] / "support" / "victim.py"
REPOSITORY = Path(__file__).parents[2]
MakeWorld = Callable[[StreamSettings], RedisWorld]


async def reading(world: RedisWorld, handler: Handler, healed: list[str] | None = None) -> RedisBus:
    """A started bus that reads `commands.p`."""

    async def on_healed(stream: str) -> None:
        if healed is not None:
            healed.append(stream)

    bus = world.bus()
    bus.subscribe(Subscription(world.streams.commands("p"), "p", handler, on_healed))
    await bus.start()
    await eventually(lambda: no_problems(bus))
    return bus


async def no_problems(bus: RedisBus) -> bool:
    return not await bus.problems()


async def has_problems(bus: RedisBus) -> bool:
    return not await no_problems(bus)


async def settled(world: RedisWorld) -> bool:
    return await world.pending(world.streams.commands("p"), "p") == 0


async def commands_executed(world: RedisWorld) -> int:
    return int((await world.client.info("stats"))["total_commands_processed"])


@asynccontextmanager
async def victim(world: RedisWorld, how: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Another process that reads `commands.p`, and is killed in the end."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(VICTIM), world.url, world.streams.prefix, world.streams.commands("p"), "p", how),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def abandon(world: RedisWorld, count: int) -> list[str]:
    """Let a consumer that once had a heartbeat read entries and die. Returns their ids."""
    stream = world.streams.commands("p")
    await world.client.sadd(world.streams.known_consumers(stream, "p"), "dead")
    answer = await world.client.xreadgroup("p", "dead", {stream: ">"}, count=count)
    entries = next(iter(answer.values()))[0] if isinstance(answer, dict) else answer[0][1]
    assert len(entries) == count

    async def idle_enough() -> bool:
        try:
            (first,) = await world.client.xpending_range(stream, "p", min="-", max="+", count=1)
        except RedisError:
            return False
        return bool(first["time_since_delivered"] > world.settings.claim_idle_ms)

    await eventually(idle_enough)
    return [entry_id for entry_id, _ in entries]


@pytest.fixture
async def make_world(own_redis: RedisServer) -> AsyncIterator[MakeWorld]:
    worlds: list[RedisWorld] = []

    def make(settings: StreamSettings) -> RedisWorld:
        worlds.append(RedisWorld(own_redis.url, "t.", settings))
        return worlds[-1]

    yield make
    for world in worlds:
        await asyncio.gather(*(bus.stop() for bus in world.buses))
        await world.client.aclose()


@pytest.fixture
def world(make_world: MakeWorld) -> RedisWorld:
    return make_world(FAST)
