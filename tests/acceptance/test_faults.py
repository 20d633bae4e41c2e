"""The whole system under faults: every order that got a 2xx ends, and its effects happen once or net to zero.

The default run is a short one; `SAGA_SOAK=1` runs them at full length.
"""

import asyncio
import os
import shutil
import time
from pathlib import Path
from random import Random

import pytest
import redis

from adapters.clock import SystemClock
from adapters.mongo import Mongo
from adapters.servers import MongoServer, RedisServer
from participants.seed import Product, Seeder
from support.checker import violations
from support.running import System, running

SOAK = os.environ.get("SAGA_SOAK") == "1"
BOOTS = {"customer_id": "alice", "items": [{"product_id": "boots", "quantity": 1}]}
LAST_PAIRS = {"customer_id": "alice", "items": [{"product_id": "few", "quantity": 1}]}


async def _strike(system: System, own_redis: RedisServer, every_s: float) -> dict[str, float]:
    """One fault after another while orders come in; seconds until orders completed again after each."""
    faults = {
        "payment killed": lambda: system.kill("payment"),
        "FLUSHALL": lambda: _flush(own_redis),
        "orchestrator killed": lambda: system.kill("orchestrator"),
    }
    moments = {}
    for name, strike in faults.items():
        await asyncio.sleep(every_s)
        moments[name] = await asyncio.to_thread(strike)
    await asyncio.sleep(every_s)
    return {name: system.completed_after(moment) or float("inf") for name, moment in moments.items()}


def _flush(server: RedisServer) -> float:
    with redis.Redis.from_url(server.url) as client:
        client.flushall()
    return time.time()


@pytest.mark.timeout(300)
async def test_kills_and_a_wiped_bus_cost_time_and_nothing_else(
    tmp_path: Path, own_mongo: MongoServer, own_redis: RedisServer
) -> None:
    count, per_s = (2000, 60.0) if SOAK else (400, 40.0)
    with running(tmp_path, own_mongo.url, own_redis.url, "--processes") as system:
        placing = system.place("k", count, per_s=per_s, order=BOOTS)
        _, recovered = await asyncio.gather(placing, _strike(system, own_redis, every_s=count / per_s / 5))
        print("orders completed again after:", {name: round(s, 2) for name, s in recovered.items()})
        assert await system.all_ended(count, within_s=60)
        assert violations(own_mongo.url, system.log) == []
        assert system.statuses() == {"completed": count}
        assert max(recovered.values()) < 20, recovered  # A bound against hanging; the times are printed.


@pytest.mark.timeout(300)
async def test_redis_away_and_back_empty_costs_time_and_nothing_else(
    tmp_path: Path, own_mongo: MongoServer, own_redis: RedisServer
) -> None:
    away_s, per_s = (60.0, 20.0) if SOAK else (8.0, 20.0)
    count = int((away_s + 4) * per_s)
    with running(tmp_path, own_mongo.url, own_redis.url, "--processes") as system:

        async def outage() -> None:
            await asyncio.sleep(2)
            await asyncio.to_thread(own_redis.kill)
            await asyncio.sleep(away_s)
            shutil.rmtree(own_redis.data_directory)
            await asyncio.to_thread(own_redis.start)

        await asyncio.gather(system.place("r", count, per_s=per_s, order=BOOTS), outage())
        back = time.time()
        assert await system.all_ended(count, within_s=60)
        print(f"orders completed again {system.completed_after(back) or 0:.2f} s after Redis was back")
        assert violations(own_mongo.url, system.log) == []
        assert system.statuses() == {"completed": count}


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
