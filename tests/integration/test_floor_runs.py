"""The floor writes as often as an order's saga does, on real servers."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest
from motor.motor_asyncio import AsyncIOMotorClient
from redis.asyncio import Redis

from benchmarks.floor import BATCH, Floor
from benchmarks.floor_writes import PARTICIPANTS

RUN = uuid4().hex[:8]


@pytest.fixture
async def mongo(mongo_url: str) -> AsyncIterator[AsyncIOMotorClient[dict[str, Any]]]:
    client: AsyncIOMotorClient[dict[str, Any]] = AsyncIOMotorClient(mongo_url)
    yield client
    client.close()


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    client = Redis.from_url(redis_url)
    yield client
    await client.aclose()


async def test_each_saga_is_written_as_often_as_it_must_be_and_then_removed(
    mongo: AsyncIOMotorClient[dict[str, Any]], redis: Redis
) -> None:
    floor = Floor(mongo, redis, RUN)
    await floor.prepare()
    await floor.drive(BATCH)
    await floor.drive(BATCH)

    sagas = mongo[f"floor_{RUN}"].sagas
    assert await sagas.count_documents({"revision": 4, "status": "completed", "history": {"$size": 4}}) == 2 * BATCH
    for name in PARTICIPANTS:
        database = mongo[f"floor_{RUN}_{name}"]
        assert await database.inbox.count_documents({}) == await database.ledger.count_documents({}) == 2 * BATCH
        spent = database.balances.aggregate([{"$group": {"_id": None, "left": {"$sum": "$left"}}}])
        assert [row["left"] async for row in spent] == [100 * 10**9 - 2 * BATCH]
    streams = [f"{kind}.{step}" for kind in ("commands", "replies") for step in range(3)]
    written = [await redis.xlen(f"floor.{RUN}.{name}") for name in (*streams, "events")]
    assert written == [2 * BATCH] * 6 + [4 * 2 * BATCH]

    await floor.remove()

    assert not [name for name in await mongo.list_database_names() if RUN in name]
    assert not await redis.keys(f"floor.{RUN}.*")
