"""Several orchestrators on real servers: each is answered on a stream of its own, and the dead ones' are adopted.

Their timers look once a minute here, so whatever ends within seconds owes nothing to them.
"""

import asyncio
import re
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from redis.asyncio import Redis

from adapters.clock import SystemClock
from adapters.facts import Unknown
from adapters.servers.process import free_port
from adapters.streams.health import look_at_redis
from adapters.streams.names import ORCHESTRATOR_GROUP, Streams
from orchestrator.settings import Settings
from support import eventually
from support.orchestrator_process import answers, own_environment, process
from support.services import ordering, participating, serving, settings_for

WITHIN_S = 60.0
NO_TIMERS = {"sweep_every_s": 60.0}


@pytest.fixture
def settings(mongo_url: str, redis_url: str) -> Settings:
    return settings_for(mongo_url, redis_url, **NO_TIMERS)


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Any]:
    client = Redis.from_url(redis_url, decode_responses=True)
    yield client
    await client.aclose()


async def test_two_that_are_answered_apart_never_meet_a_state_that_the_other_has_changed(
    settings: Settings, redis: Any
) -> None:
    async with serving(settings) as one, serving(settings) as two, participating(settings):
        await eventually(lambda: _holders(redis, settings, 2))
        for client in (one, two, one, two):
            await _place(client, 150)
        await eventually(lambda: _completed(one, 600), within_s=WITHIN_S)
        assert [await _conflicts(client) for client in (one, two)] == [0, 0]
        streams = Streams(settings.stream_prefix)
        assert min([await _added(redis, streams.replies_of(slot)) for slot in range(2)]) > 0
        assert await _added(redis, streams.replies) == 0


@pytest.mark.parametrize("how", ["unread", "unacknowledged"])
async def test_replies_to_one_that_was_killed_are_adopted_and_its_sagas_end(
    mongo_url: str, redis_url: str, redis: Any, how: str
) -> None:
    environment = {**own_environment(mongo_url, redis_url), "SAGA_SWEEP_EVERY_S": "60"}
    settings = _settings(environment)
    streams = Streams(settings.stream_prefix)
    async with process(environment) as victim, _client(environment) as client:
        await eventually(lambda: answers(client), within_s=WITHIN_S)
        await eventually(lambda: _holders(redis, settings, 1))
        async with serving(settings) as survivor:
            await eventually(lambda: _holders(redis, settings, 2))
            await _place(client, 30)
            await eventually(lambda: _has(redis, streams.commands("inventory"), 30))
            victim.send_signal(signal.SIGKILL if how == "unread" else signal.SIGSTOP)
            async with participating(settings):
                await eventually(lambda: _has(redis, streams.replies_of(0), 30))
                if how == "unacknowledged":
                    await eventually(lambda: _pending(redis, streams.replies_of(0)))
                    victim.kill()
                await eventually(lambda: _completed(survivor, 30), within_s=WITHIN_S)
            assert await _added(redis, streams.commands("inventory")) == 30, "nothing was sent again"


async def test_one_that_is_started_again_gets_a_slot_of_before(settings: Settings, redis: Any) -> None:
    async with serving(settings), participating(settings):
        await eventually(lambda: _holders(redis, settings, 1))
        for _ in range(3):
            async with serving(settings) as client:
                await eventually(lambda: _holders(redis, settings, 2))
                answer = await client.post("/v1/sagas", json=ordering(), headers={"Prefer": "wait=15"})
                assert answer.json()["status"] == "completed"
            await eventually(lambda: _holders(redis, settings, 1))
    names = [name async for name in redis.scan_iter(f"{settings.stream_prefix}replies.*", count=1_000)]
    assert {*names} <= {Streams(settings.stream_prefix).replies_of(slot) for slot in range(2)}


async def test_every_replica_shows_the_reply_streams_that_are_in_use(settings: Settings, redis: Any) -> None:
    async with serving(settings) as one, serving(settings) as two:
        await eventually(lambda: _holders(redis, settings, 2))
        streams = Streams(settings.stream_prefix)

        async def shown(client: httpx.AsyncClient) -> bool:
            page = (await client.get("/metrics")).text
            groups = [f'saga_stream_group_lag{{group="orchestrator",stream="{streams.replies_of(n)}"}}' for n in (0, 1)]
            return all(group in page for group in groups)

        for client in (one, two):
            await eventually(lambda client=client: shown(client))  # type: ignore[misc]


async def test_the_doctor_looks_at_the_reply_streams_that_are_read_or_should_be(settings: Settings, redis: Any) -> None:
    streams = Streams(settings.stream_prefix)
    own = streams.replies_of(0)

    async def readers() -> dict[str, int]:
        within_s = 5.0
        found = await look_at_redis(settings.redis_url, streams, [streams.replies], SystemClock(), within_s)
        assert not isinstance(found.readers, Unknown)
        return {each.stream: each.living for each in found.readers}

    async with serving(settings):
        await eventually(lambda: _holders(redis, settings, 1))
        await eventually(lambda: _reads(readers, {streams.replies: 1, own: 1}))
    assert (await readers()).keys() == {streams.replies}, "nobody has the slot, and nothing waits there"
    await redis.xadd(own, {"causationid": "s/step/action"})
    assert (await readers())[own] == 0, "nobody reads what waits there"


async def _reads(readers: Callable[[], Awaitable[dict[str, int]]], expected: dict[str, int]) -> bool:
    return await readers() == expected


def _settings(environment: Mapping[str, str]) -> Settings:
    names = ("SAGA_MONGO_URL", "SAGA_REDIS_URL", "SAGA_DATABASE_PREFIX", "SAGA_STREAM_PREFIX")
    given: dict[str, Any] = {name.removeprefix("SAGA_").lower(): environment[name] for name in names}
    return Settings.load(**given, http_port=free_port(), **NO_TIMERS)


@asynccontextmanager
async def _client(environment: Mapping[str, str]) -> AsyncIterator[httpx.AsyncClient]:
    url = f"http://127.0.0.1:{environment['SAGA_HTTP_PORT']}"
    async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=WITHIN_S) as client:
        yield client


async def _holders(redis: Any, settings: Settings, count: int) -> bool:
    """Whether so many slots are held."""
    streams = Streams(settings.stream_prefix)
    return len([holder for holder in await redis.mget([streams.replica(n) for n in range(8)]) if holder]) == count


async def _place(client: httpx.AsyncClient, count: int) -> None:
    answer = await client.post("/v1/sagas:batch", json={"sagas": [ordering() for _ in range(count)]})
    assert answer.status_code == 200


async def _completed(client: httpx.AsyncClient, count: int) -> bool:
    """Whether so many sagas, and all, are completed."""
    others = ("running", "compensating", "compensated", "stuck")
    pages = await asyncio.gather(*(client.get("/v1/sagas", params={"status": each, "limit": 1}) for each in others))
    if any(page.json()["items"] for page in pages):
        return False
    found = await client.get("/v1/sagas", params={"status": "completed", "limit": 200})
    return len(found.json()["items"]) == min(count, 200)


async def _conflicts(client: httpx.AsyncClient) -> float:
    page = (await client.get("/metrics")).text
    return float(re.findall(r"^saga_revision_conflicts_total (\S+)", page, re.MULTILINE)[0])


async def _added(redis: Any, stream: str) -> int:
    """How many entries were ever put there."""
    if not await redis.exists(stream):
        return 0
    return int((await redis.xinfo_stream(stream))["entries-added"])


async def _has(redis: Any, stream: str, count: int) -> bool:
    return await _added(redis, stream) >= count


async def _pending(redis: Any, stream: str) -> bool:
    return bool((await redis.xpending(stream, ORCHESTRATOR_GROUP))["pending"])
