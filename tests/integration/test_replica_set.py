"""A replica set of three loses its primary: what was acknowledged stays, and sagas start again under the next one."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import count
from pathlib import Path

import pytest

from adapters.errors import Unavailable
from adapters.mongo import Mongo
from chaos.real.servers import ChaosMongo, RealServers
from orchestrator.store import MongoSagaStore
from support import eventually
from support.clock import ManualClock
from support.orders import started

Strike = Callable[[RealServers, ChaosMongo], Awaitable[None]]


async def kill(servers: RealServers, primary: ChaosMongo) -> None:
    await asyncio.to_thread(primary.kill)


async def step_down(servers: RealServers, primary: ChaosMongo) -> None:
    await servers.step_down(primary, for_s=30)


@pytest.fixture
async def servers(server_directory: Path) -> AsyncIterator[RealServers]:
    servers = RealServers(server_directory, members=3)
    await asyncio.to_thread(servers.start)
    yield servers
    await asyncio.to_thread(servers.kill)


async def other_primary(servers: RealServers, than: ChaosMongo) -> bool:
    try:
        return await servers.primary() is not than
    except LookupError:
        return False


@pytest.mark.slow
@pytest.mark.parametrize("strike", [kill, step_down])
async def test_what_was_acknowledged_outlives_the_primary_and_sagas_go_on(servers: RealServers, strike: Strike) -> None:
    mongo = Mongo.connect(servers.mongo_url)
    store = MongoSagaStore(mongo, "saga_orchestrator", random.Random(1))
    await store.prepare()
    acknowledged: list[str] = []

    async def start_sagas() -> None:
        for number in count():
            try:
                await store.insert([started(f"s{number}", ManualClock().now()).state])
            except Unavailable:  # It may be there nevertheless; nobody was told that it is.
                continue
            acknowledged.append(f"s{number}")

    starting = asyncio.create_task(start_sagas())
    await eventually(lambda: len(acknowledged) > 20)
    first = await servers.primary()
    await strike(servers, first)
    await eventually(lambda: other_primary(servers, first))
    before = len(acknowledged)
    await eventually(lambda: len(acknowledged) > before + 20)
    starting.cancel()
    await asyncio.wait([starting])
    assert (await store.load(acknowledged)).keys() == set(acknowledged)
    await mongo.close()
