"""Two processes of one participant, one entry at a time each: repeats and races across processes.

The default run has 150 races; `SAGA_SOAK=1` runs 1,000.
"""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from random import Random
from typing import Any

import pytest
import redis
from pymongo import MongoClient

from adapters.clock import SystemClock
from adapters.mongo import Mongo
from adapters.servers import MongoServer, RedisServer
from participants.seed import Product, Seeder
from support import eventually

RACES = 1000 if os.environ.get("SAGA_SOAK") == "1" else 150
STREAM = "saga.commands.inventory"


@dataclass
class Inventory:
    """Two inventory processes, spoken to with nothing but Redis, looked into with nothing but MongoDB."""

    bus: Any
    database: Any

    def send(self, *commands: dict[str, str]) -> None:
        pipeline = self.bus.pipeline(transaction=False)
        for command in commands:
            pipeline.xadd(STREAM, {**command, "replyto": "saga.replies"})
        pipeline.execute()

    def replies(self) -> list[dict[str, str]]:
        return [fields for _, fields in self.bus.xrange("saga.replies")]

    def net(self) -> Counter[str]:
        """Boots taken, by saga."""
        taken: Counter[str] = Counter()
        for row in self.database.ledger.find({"kind": {"$ne": "opening"}}):
            taken[row["saga_id"]] += row["amount"]
        return taken


@pytest.fixture
async def inventory(own_mongo: MongoServer, own_redis: RedisServer) -> Any:
    mongo = Mongo.connect(own_mongo.url)
    await Seeder(mongo, SystemClock(), Random(1)).product(Product("boots", 10_000, 1999))
    await mongo.close()
    bus: Any = redis.Redis.from_url(own_redis.url, decode_responses=True)
    client: MongoClient[Any] = MongoClient(own_mongo.url)
    with _process(own_mongo, own_redis), _process(own_mongo, own_redis):
        made = Inventory(bus, client.saga_inventory)
        await eventually(lambda: _consumers(bus) == 2, within_s=30)
        yield made
    client.close()
    bus.close()


@contextmanager
def _process(mongo: MongoServer, bus: RedisServer) -> Iterator[None]:
    given = {"SAGA_MONGO_URL": mongo.url, "SAGA_REDIS_URL": bus.url, "SAGA_COMMAND_BATCH": "1"}
    command = [sys.executable, "-m", "participants.app", "inventory"]
    process = subprocess.Popen(command, env={**os.environ, **given})
    try:
        yield
    finally:
        process.terminate()
        process.wait(30)


def _consumers(bus: Any) -> int:
    try:
        return len(bus.xinfo_consumers(STREAM, "inventory"))
    except redis.ResponseError:
        return 0


def reserve(saga_id: str) -> dict[str, str]:
    data = json.dumps({"items": [{"product_id": "boots", "quantity": 1}]})
    return {
        "id": f"{saga_id}/reserve-stock/action",
        "type": "inventory.reserve-stock",
        "subject": saga_id,
        "data": data,
    }


def release(saga_id: str) -> dict[str, str]:
    undoes = {"undoes": f"{saga_id}/reserve-stock/action", "subject": saga_id, "data": "{}"}
    return {"id": f"{saga_id}/reserve-stock/compensation", "type": "inventory.release-stock", **undoes}


async def test_the_same_command_50_times_at_once_has_one_effect_and_equal_replies(inventory: Inventory) -> None:
    inventory.send(*[reserve("s")] * 50)
    await eventually(lambda: len(inventory.replies()) == 50, within_s=30)
    assert {(reply["outcome"], reply["data"]) for reply in inventory.replies()} == {("succeeded", '{"amount":1999}')}
    assert inventory.net() == {"s": -1}
    assert inventory.database.ledger.count_documents({"saga_id": "s"}) == 1
    consumers = inventory.bus.xinfo_consumers(STREAM, "inventory")
    assert len(consumers) == 2


@pytest.mark.timeout(300)
async def test_an_action_and_its_compensation_at_once_in_two_processes_come_to_nothing(inventory: Inventory) -> None:
    for number in range(RACES):
        both = [reserve(f"s{number}"), release(f"s{number}")]
        inventory.send(*(both if number % 2 else reversed(both)))
    await eventually(lambda: len(inventory.replies()) == 2 * RACES, within_s=200)
    compensations = [reply for reply in inventory.replies() if reply["causationid"].endswith("/compensation")]
    assert {reply["outcome"] for reply in compensations} == {"succeeded"}
    assert {saga_id: left for saga_id, left in inventory.net().items() if left} == {}
    assert inventory.database.products.find_one({"_id": "boots"})["available"] == 10_000
