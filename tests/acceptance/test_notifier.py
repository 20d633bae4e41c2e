"""The orders notifier, as it is shipped: nothing is told twice, and nothing is missed while Redis keeps its data."""

import asyncio
import os
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from redis.asyncio import Redis

from adapters.servers import RedisServer
from support import eventually
from support.services import ordering, participating, serving, settings_for
from support.source import ROOT

STREAM, GROUP = "saga.events", "orders-notifier"
WITHIN_S = 20.0


@dataclass
class Shop:
    """A running service, and the notifier's output."""

    client: httpx.AsyncClient
    redis: Any
    redis_url: str
    output: Path

    async def order(self, prefix: str, count: int, product: str = "boots") -> None:
        """Place so many orders."""
        orders = [ordering(product=product, id=f"{prefix}-{number}") for number in range(count)]
        answer = await self.client.post("/v1/sagas:batch", json={"sagas": orders})
        assert answer.status_code == 200, answer.text

    @contextmanager
    def notifier(self, *options: str) -> Iterator["subprocess.Popen[bytes]"]:
        """The notifier; killed in the end."""
        command = [sys.executable, str(ROOT / "examples" / "notifier.py"), self.redis_url, *options]
        with self.output.open("a") as file:
            process = subprocess.Popen(command, stdout=file, env={**os.environ})
        try:
            yield process
            assert process.poll() is None, "it ended by itself"
        finally:
            process.kill()
            process.wait()

    @property
    def told(self) -> Counter[str]:
        """How often it said something, by saga id."""
        return Counter(line.partition(":")[0] for line in self.output.read_text().splitlines())

    def has_told(self, prefix: str, count: int, times: int = 1) -> bool:
        return all(self.told[f"{prefix}-{number}"] >= times for number in range(count))


@pytest.fixture
async def shop(mongo_url: str, own_redis: RedisServer, tmp_path: Path) -> AsyncIterator[Shop]:
    settings = settings_for(mongo_url, own_redis.url).model_copy(update={"stream_prefix": "saga."})
    redis = Redis.from_url(own_redis.url, decode_responses=True)
    output = tmp_path / "notifier.log"
    output.touch()
    async with participating(settings), serving(settings) as client:
        yield Shop(client, redis, own_redis.url, output)
    await redis.aclose()


def test_it_imports_nothing_of_this_project() -> None:
    source = (ROOT / "examples" / "notifier.py").read_text()
    lines = [line for line in source.splitlines() if line.startswith(("import ", "from "))]
    assert lines == ["import json", "import sys", "import time", "import redis"]


async def test_each_end_is_told_once_and_all_of_it_again_from_the_beginning(shop: Shop) -> None:
    with shop.notifier():
        await shop.order("good", 20)
        await shop.order("late", 1, product="sold-out")
        await eventually(lambda: shop.has_told("good", 20) and shop.has_told("late", 1), within_s=WITHIN_S)
        # The same events once more, as after a crash of an orchestrator.
        entries = await shop.redis.xrange(STREAM)
        for _, fields in entries:
            await shop.redis.xadd(STREAM, fields)
        await shop.redis.xgroup_destroy(STREAM, GROUP)
        await shop.order("after", 1)
        await eventually(lambda: shop.has_told("after", 1), within_s=WITHIN_S)
    assert set(shop.told.values()) == {1}
    assert "late-0: your order could not be placed, and nothing was charged (out-of-stock)" in shop.output.read_text()

    with shop.notifier("--from-beginning"):
        await eventually(lambda: shop.has_told("good", 20, 2) and shop.has_told("after", 1, 2), within_s=WITHIN_S)
    assert set(shop.told.values()) == {2}


async def test_killed_in_the_middle_it_loses_nothing(shop: Shop) -> None:
    for _ in range(3):
        with shop.notifier():
            before = shop.told.total()
            await shop.order(f"round{before}", 20)
            await eventually(lambda: shop.told.total() > before, within_s=WITHIN_S)  # noqa: B023 - awaited within the round
    placed = await asyncio.gather(*(shop.client.get(f"/v1/sagas?limit=200&saga={name}") for name in ("order",)))
    ids = {item["id"] for answer in placed for item in answer.json()["items"]}
    assert len(ids) == 60
    with shop.notifier():
        await eventually(lambda: shop.told.keys() == ids, within_s=WITHIN_S)
    # At most the one during which it was killed was told twice.
    assert shop.told.total() - len(ids) <= 3


async def test_after_a_loss_of_redis_it_goes_on(shop: Shop) -> None:
    with shop.notifier():
        await shop.order("before", 1)
        await eventually(lambda: shop.has_told("before", 1), within_s=WITHIN_S)
        await shop.redis.flushall()
        await shop.order("after", 3)
        await eventually(lambda: shop.has_told("after", 3), within_s=WITHIN_S)
