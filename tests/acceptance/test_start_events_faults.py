"""Events start their sagas while the orchestrator is killed again and again, and its group destroyed.

The default run is a short one; `SAGA_SOAK=1` runs at full length.
"""

import asyncio
import os
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

import pytest
from pymongo import MongoClient
from redis.asyncio import Redis

from adapters.servers import MongoServer, RedisServer
from orchestrator.start_events import saga_id
from support import eventually
from support.running import System, later, running
from support.start_events import STREAM, event, order_created

SOAK = os.environ.get("SAGA_SOAK") == "1"
ORDERS = 10_000 if SOAK else 300
KILLS = 20 if SOAK else 2
GROUP = "saga.orchestrator"
TESTS = Path(__file__).parents[1]


@pytest.mark.timeout(600)
async def test_each_order_has_its_saga_whatever_is_killed(
    tmp_path: Path, own_mongo: MongoServer, own_redis: RedisServer
) -> None:
    environment = {"SAGA_DEFINITIONS": "support.start_events", "PYTHONPATH": str(TESTS)}
    with running(tmp_path, own_mongo.url, own_redis.url, "--processes", **environment) as system:
        redis: Any = Redis.from_url(own_redis.url, decode_responses=True)
        publishing = asyncio.create_task(_publish(redis))
        for number in range(KILLS):
            await later(1.0, lambda: _kill(system))
            if number == 0:
                await redis.xgroup_destroy(STREAM, GROUP)
        await publishing
        await eventually(lambda: _settled(redis), within_s=60)
        await redis.aclose()
        found, letters = _found(system)
    assert found == {saga_id("thanks", f"o-{number}") for number in range(ORDERS)}
    assert letters == {"no key for thanks: key= raised KeyError: 'orderId'"}


def _kill(system: System) -> None:
    with suppress(ProcessLookupError):  # It is being restarted just now.
        system.kill("orchestrator")


async def _publish(redis: Any) -> None:
    """Every order twice, the second time in another order; now and then one without an id."""
    again = list(range(ORDERS))
    Random(3).shuffle(again)
    for first in range(0, ORDERS, 20):
        pipeline = redis.pipeline(transaction=False)
        for number in (*range(first, first + 20), *again[first : first + 20]):
            pipeline.xadd(STREAM, order_created(number).fields)
        pipeline.xadd(STREAM, event("ORDER_CREATED", {"customerId": "alice"}).fields)
        await pipeline.execute()
        await later(0.1, lambda: None)


async def _settled(redis: Any) -> bool:
    rows = [row for row in await redis.xinfo_groups(STREAM) if row["name"] == GROUP]
    (newest,) = await redis.xrevrange(STREAM, count=1)
    return any((row["pending"], row["last-delivered-id"]) == (0, newest[0]) for row in rows)


def _found(system: System) -> tuple[set[str], set[str]]:
    """The ids of all sagas, and the reasons of all dead letters."""
    with MongoClient[Any](system.mongo_url) as client:
        database = client.saga_orchestrator
        sagas = {document["_id"] for document in database.sagas.find({}, {"_id": 1})}
        return sagas, {document["reason"] for document in database.dead_letters.find({}, {"reason": 1})}
