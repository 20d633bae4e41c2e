"""Fixtures of the bus contract: both buses, the stream they are tried on, and a reader of it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from uuid import uuid4

import pytest

from adapters.bus import Bus, Handler, Subscription
from support.buses import MemoryWorld, RedisWorld, World

MakeBus = Callable[[Handler], Awaitable[Bus]]


@pytest.fixture(params=["memory", "redis"])
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    memory = request.param == "memory"
    made: World = MemoryWorld() if memory else RedisWorld(request.getfixturevalue("redis_url"), f"t{uuid4().hex[:8]}.")
    yield made
    await made.aclose()


@pytest.fixture
def stream(world: World) -> str:
    return world.streams.commands("inventory")


@pytest.fixture
def reading(world: World, stream: str) -> MakeBus:
    """Start a bus whose handler reads `stream`."""

    async def start(handler: Handler) -> Bus:
        bus = world.bus()
        bus.subscribe(Subscription(stream, "inventory", handler))
        await bus.start()
        return bus

    return start


async def settled(world: World, stream: str) -> bool:
    return await world.pending(stream, "inventory") == 0
