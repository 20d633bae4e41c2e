"""A Redis that fails over: whatever it loses with its master, every accepted saga ends, and the books add up."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from adapters.clock import SystemClock
from adapters.servers import ClusterRedis, SentinelRedis
from adapters.streams.connection import close, connect
from adapters.streams.health import look_at_redis
from adapters.streams.settings import StreamSettings
from cli.doctor.check import Check, Status
from cli.doctor.redis import judge_redis
from orchestrator.settings import Settings
from support.checker import violations
from support.services import is_ready, ordering, participating, serving, settings_for
from support.waiting import eventually

Servers = SentinelRedis | ClusterRedis

BATCH = 40
BUSY = "{1}"  #: a partition of a cluster; five of twelve are with its master


@dataclass(frozen=True, slots=True)
class Shop:
    """All services, on servers of which one is master."""

    client: httpx.AsyncClient
    settings: Settings
    servers: Servers

    async def order(self, count: int = BATCH, customer: str = "alice") -> list[str]:
        """Accepted sagas."""
        sagas = {"sagas": [ordering(customer)] * count}
        answer = await self.client.post("/v1/sagas:batch", json=sagas)
        return [result["id"] for result in answer.json()["results"]]

    async def statuses(self, accepted: list[str]) -> Counter[str]:
        """What has become of them."""
        answers = await asyncio.gather(*(self.client.get(f"/v1/sagas/{each}") for each in accepted))
        return Counter(answer.json()["status"] for answer in answers)

    async def is_done(self) -> bool:
        """Whether every saga has ended."""
        queries = [{"status": status, "limit": "1"} for status in ("running", "compensating", "stuck")]
        answers = [await self.client.get("/v1/sagas", params=query) for query in queries]
        return not any(answer.json()["items"] for answer in answers)


@pytest.fixture(params=["sentinel_redis", "cluster_redis"])
def servers(request: pytest.FixtureRequest) -> Iterator[Servers]:
    servers: Servers = request.getfixturevalue(request.param)
    yield servers
    servers.heal()


@pytest.fixture
async def shop(servers: Servers, mongo_url: str) -> AsyncIterator[Shop]:
    settings = settings_for(mongo_url, servers.url)
    async with serving(settings) as client, participating(settings):
        await eventually(lambda: is_ready(client))
        yield Shop(client, settings, servers)


async def test_orders_complete_or_are_compensated(shop: Shop) -> None:
    done, undone = await shop.order(), await shop.order(customer="broke")
    await eventually(shop.is_done)
    assert await shop.statuses(done) == {"completed": BATCH}
    assert await shop.statuses(undone) == {"compensated": BATCH}
    streams = shop.settings.streams
    names = [*streams.all_of(streams.commands("inventory")), *streams.all_of(streams.replies), streams.events]
    assert await wrong(shop.settings, names) == []


async def wrong(settings: Settings, names: Sequence[str]) -> list[Check]:
    """What the doctor does not like of the servers and these streams."""
    facts = await look_at_redis(settings.redis_url, settings.streams, names, SystemClock(), within_s=10)
    return [check for check in judge_redis(facts, serving=True) if check.status is not Status.OK]


async def test_a_master_of_a_cluster_that_is_not_as_the_others_is_named(cluster_redis: ClusterRedis) -> None:
    settings = Settings.load(mongo_url="mongodb://127.0.0.1:1", redis_url=cluster_redis.url)
    odd = cluster_redis.master_of(BUSY)
    odd.execute("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    try:
        (check,) = await wrong(settings, [])
    finally:
        odd.execute("CONFIG", "SET", "maxmemory-policy", "noeviction")
    assert (check.name, check.status) == ("redis-eviction", Status.FAILED)
    assert check.detail.startswith(f"127.0.0.1:{odd.port}: ")
    assert check.detail.count("127.0.0.1") == 1


async def test_a_master_of_a_cluster_that_is_away_is_named_and_hides_no_other(cluster_redis: ClusterRedis) -> None:
    settings = Settings.load(mongo_url="mongodb://127.0.0.1:1", redis_url=cluster_redis.url)
    away = cluster_redis.master_of(BUSY)
    away.kill()
    try:
        found = {check.name: check for check in await wrong(settings, [])}
    finally:
        cluster_redis.heal()
    assert found["redis"].status is Status.FAILED
    assert f"127.0.0.1:{away.port}: " in found["redis"].detail
    assert found.keys().isdisjoint({"redis-version", "redis-eviction", "redis-persistence", "redis-memory"})


def kill(servers: Servers) -> None:
    (servers.master() if isinstance(servers, SentinelRedis) else servers.master_of(BUSY)).kill()


def hand_over(servers: Servers) -> None:
    servers.fail_over() if isinstance(servers, SentinelRedis) else servers.fail_over(BUSY)


@pytest.mark.parametrize("strike", [kill, hand_over])
async def test_a_master_that_goes_takes_no_saga_along(shop: Shop, strike: Callable[[Servers], None]) -> None:
    struck = asyncio.create_task(asyncio.to_thread(strike, shop.servers))
    accepted = await shop.order()
    while not struck.done():
        accepted += await shop.order(1)
    await struck
    accepted += await shop.order()
    await eventually(shop.is_done)
    assert violations(shop.settings.mongo_url, accepted, shop.settings.database_prefix) == []
    await eventually(lambda: is_ready(shop.client))


async def test_those_who_ask_at_once_lose_no_sentinel(sentinel_redis: SentinelRedis) -> None:
    servers = sentinel_redis
    client = connect(servers.url, StreamSettings())
    try:
        servers.sentinels[0].kill()
        pool: Any = client.connection_pool
        found = await asyncio.gather(*(pool.get_master_address() for _ in range(5)))
        assert set(found) == {("127.0.0.1", servers.master().port)}
        assert len(set(map(id, pool.sentinel_manager.sentinels))) == len(servers.sentinels)
    finally:
        await close(client)
        servers.heal()
