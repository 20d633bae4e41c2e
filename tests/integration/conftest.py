"""Redis buses on a server of the test's own."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from adapters.servers import RedisServer
from adapters.streams.settings import StreamSettings
from support.buses import FAST, RedisWorld
from support.redis_worlds import MakeWorld


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
