"""The whole system under faults: every order that got a 2xx ends, and its effects happen once or net to zero.

The default run is a short one; `SAGA_SOAK=1` runs them at full length.
"""

import asyncio
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
import redis

from adapters.clock import SystemClock
from adapters.mongo import Mongo
from adapters.servers import MongoServer, RedisServer
from participants.seed import Product, Seeder
from support.checker import violations
from support.running import System, later, running, say

SOAK = os.environ.get("SAGA_SOAK") == "1"
BOOTS = {"customer_id": "alice", "items": [{"product_id": "boots", "quantity": 1}]}
LAST_PAIRS = {"customer_id": "alice", "items": [{"product_id": "few", "quantity": 1}]}


async def _strike(system: System, own_redis: RedisServer, every_s: float) -> dict[str, float]:
    """One fault after another while orders come in; when each of them struck."""
    faults: dict[str, Callable[[], float]] = {
        "payment killed": lambda: system.kill("payment"),
        "FLUSHALL": lambda: _flush(own_redis),
        "orchestrator killed": lambda: system.kill("orchestrator"),
    }
    return {name: await later(every_s, strike) for name, strike in faults.items()}


def _recovery(system: System, moment: float) -> float:
    return round(system.completed_after(moment) or float("inf"), 2)


def _flush(server: RedisServer) -> float:
    with redis.Redis.from_url(server.url) as client:
        client.flushall()
    return time.time()


@pytest.mark.timeout(300)
async def test_kills_and_a_wiped_bus_cost_time_and_nothing_else(
    tmp_path: Path, own_mongo: MongoServer, own_redis: RedisServer, capsys: pytest.CaptureFixture[str]
) -> None:
    count, per_s = (2000, 60.0) if SOAK else (400, 40.0)
    with running(tmp_path, own_mongo.url, own_redis.url, "--processes") as system:
        placing = system.place("k", count, per_s=per_s, order=BOOTS)
        _, struck = await asyncio.gather(placing, _strike(system, own_redis, every_s=count / per_s / 5))
        assert await system.all_ended(count, within_s=60), system.statuses()
        assert violations(own_mongo.url, system.log) == []
        assert system.statuses() == {"completed": count}
        recovered = {name: _recovery(system, moment) for name, moment in struck.items()}
        say(capsys, f"seconds until orders completed again: {recovered}")


@pytest.mark.timeout(300)
async def test_redis_away_and_back_empty_costs_time_and_nothing_else(
    tmp_path: Path, own_mongo: MongoServer, own_redis: RedisServer, capsys: pytest.CaptureFixture[str]
) -> None:
    away_s, per_s = (60.0, 20.0) if SOAK else (8.0, 20.0)
    count = int((away_s + 4) * per_s)

    def return_empty() -> float:
        shutil.rmtree(own_redis.data_directory)
        own_redis.start()
        return time.time()

    async def outage() -> float:
        await later(2, own_redis.kill)
        return await later(away_s, return_empty)

    with running(tmp_path, own_mongo.url, own_redis.url, "--processes") as system:
        _, back = await asyncio.gather(system.place("r", count, per_s=per_s, order=BOOTS), outage())
        assert await system.all_ended(count, within_s=60), system.statuses()
        assert violations(own_mongo.url, system.log) == []
        assert system.statuses() == {"completed": count}
        say(capsys, f"orders completed again {_recovery(system, back)} s after Redis was back, empty")


async def test_a_hot_product_is_sold_exactly_as_often_as_it_is_in_stock(
    tmp_path: Path, own_mongo: MongoServer, own_redis: RedisServer
) -> None:
    mongo = Mongo.connect(own_mongo.url)
    await Seeder(mongo, SystemClock(), Random(1)).product(Product("few", 100, 1999))
    await mongo.close()
    with running(tmp_path, own_mongo.url, own_redis.url) as system:
        await system.place("hot", 1000, per_s=500, order=LAST_PAIRS)
        assert await system.all_ended(1000, within_s=60)
        assert violations(own_mongo.url, system.log) == []
        assert system.statuses() == {"completed": 100, "compensated": 900}
