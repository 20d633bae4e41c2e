"""The service as it is served: HTTP, MongoDB, Redis and participants, and what happens when one of them goes away."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from random import Random
from typing import Any

import httpx
import pytest
from pymongo import AsyncMongoClient

from adapters.bus import Entry
from adapters.mongo import Mongo, find
from adapters.servers import MongoServer, RedisServer
from orchestrator.app import Orchestrator, serve
from orchestrator.in_flight import ChangedDefinition
from orchestrator.settings import Settings
from orchestrator.store import MongoSagaStore
from support import eventually
from support.api import client_of, problem
from support.clock import ManualClock
from support.orders import started
from support.services import is_ready, ordering, participating, serving, settings_for

RECOVERY_S = 30.0
NOW = ManualClock().now()


@pytest.fixture
def settings(mongo_url: str, redis_url: str) -> Settings:
    return settings_for(mongo_url, redis_url)


@pytest.fixture
async def client(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    async with participating(settings), serving(settings) as client:
        yield client


@pytest.mark.parametrize(
    ("customer", "product", "status", "code"),
    [
        ("alice", "boots", "completed", None),
        ("alice", "sold-out", "compensated", "out-of-stock"),
        ("broke", "boots", "compensated", "insufficient-funds"),
    ],
)
async def test_an_order_ends_as_it_should(
    client: httpx.AsyncClient, customer: str, product: str, status: str, code: str | None
) -> None:
    answer = await client.post("/v1/sagas", json=ordering(customer, product), headers={"Prefer": "wait=15"})
    saga = answer.json()
    assert (answer.status_code, saga["status"]) == (200, status)
    assert (saga["failure"] or {}).get("code") == code
    assert (await client.get(answer.headers["Location"])).json() == saga
    assert "server" not in answer.headers


async def test_services_work_with_the_driver_that_they_are_told_to(mongo_url: str, redis_url: str) -> None:
    settings = settings_for(mongo_url, redis_url, mongo_driver="pymongo")
    async with participating(settings), serving(settings) as client:
        answer = await client.post("/v1/sagas", json=ordering(), headers={"Prefer": "wait=15"})
        assert answer.json()["status"] == "completed"
        drivers = await _drivers(settings)
    assert drivers["saga-orchestrator"] == drivers["saga-inventory-payment-orders"] == "PyMongo|c|async"


async def _drivers(settings: Settings) -> dict[str, str]:
    """The asynchronous drivers of PyMongo's own that are connected now, by the names of their applications."""
    async with AsyncMongoClient[Any](settings.mongo_url) as mongo:
        looking: list[dict[str, Any]] = [
            {"$currentOp": {"allUsers": True, "idleConnections": True}},
            {"$match": {"clientMetadata.driver.name": {"$regex": "async"}}},
        ]
    async with AsyncMongoClient[Any](settings.mongo_url) as mongo:
        found = [each["clientMetadata"] async for each in await mongo.admin.aggregate(looking)]
    return {each["application"]["name"]: each["driver"]["name"] for each in found if "application" in each}


async def test_as_many_events_are_kept_as_the_settings_say(mongo_url: str, redis_url: str) -> None:
    orchestrator = Orchestrator(settings_for(mongo_url, redis_url, events_kept=1_234))
    assert orchestrator.bus._shared.settings.events_maxlen == 1_234  # noqa: SLF001 - test_stream_housekeeping says what it does
    await orchestrator.stop()


async def test_a_thousand_in_a_batch_all_end(client: httpx.AsyncClient) -> None:
    answer = await client.post("/v1/sagas:batch", json={"sagas": [ordering() for _ in range(1_000)]})
    assert Counter(result["status"] for result in answer.json()["results"]) == {"running": 1_000}

    await eventually(lambda: _all_completed(client), within_s=RECOVERY_S)


async def _all_completed(client: httpx.AsyncClient) -> bool:
    others = ("running", "compensating", "compensated", "stuck")
    pages = [(await client.get("/v1/sagas", params={"status": status, "limit": 1})).json() for status in others]
    return not any(page["items"] for page in pages)


@pytest.mark.parametrize(
    ("framing", "chunk"),
    [
        (f"Content-Length: {64 * 2**20}", b" " * 65_536),
        ("Transfer-Encoding: chunked", b"10000\r\n" + b" " * 65_536 + b"\r\n"),
    ],
)
async def test_a_body_of_64_megabytes_is_refused_before_it_has_arrived(
    client: httpx.AsyncClient, framing: str, chunk: bytes
) -> None:
    reader, writer = await asyncio.open_connection(client.base_url.host, client.base_url.port)
    head = f"POST /v1/sagas HTTP/1.1\r\nHost: here\r\nContent-Type: application/json\r\n{framing}\r\n\r\n"
    writer.write(head.encode() + chunk * 5)  # Five of a thousand; the others are never asked for.
    assert (await asyncio.wait_for(reader.readline(), 5)).startswith(b"HTTP/1.1 413 ")
    writer.close()
    assert (await client.get("/livez")).status_code == 200


@pytest.mark.parametrize("said", [b"", b"GET /livez HTTP/1.1\r\nHost: "])
async def test_a_connection_that_never_asks_is_closed(mongo_url: str, redis_url: str, said: bytes) -> None:
    async with serving(settings_for(mongo_url, redis_url, receive_timeout_s=0.3)) as client:
        reader, writer = await asyncio.open_connection(client.base_url.host, client.base_url.port)
        writer.write(said)
        assert await asyncio.wait_for(reader.read(), 5) == b""
        writer.close()
        assert (await client.get("/livez")).status_code == 200


async def test_a_thousand_requests_with_one_key_at_once_are_one_saga(settings: Settings) -> None:
    orchestrator = Orchestrator(settings)
    await orchestrator.start()
    async with client_of(orchestrator.app) as client:
        headers = {"Idempotency-Key": "one"}
        answers = await asyncio.gather(
            *(client.post("/v1/sagas", json=ordering(), headers=headers) for _ in range(1_000))
        )
    assert Counter(answer.status_code for answer in answers) == {202: 1_000}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert sum("Idempotency-Replayed" not in answer.headers for answer in answers) == 1
    assert len(await find(orchestrator.mongo.database(settings.database).sagas, {}, limit=10)) == 1
    await orchestrator.stop()


async def test_two_processes_with_one_key_start_one_saga(settings: Settings) -> None:
    processes = [Orchestrator(settings) for _ in range(2)]
    for process in processes:
        await process.start()
    clients = [client_of(process.app) for process in processes]
    keys = [f"key-{number % 50}" for number in range(400)]
    answers = await asyncio.gather(
        *(
            clients[number % 2].post("/v1/sagas", json=ordering(), headers={"Idempotency-Key": key})
            for number, key in enumerate(keys)
        )
    )
    assert Counter(answer.status_code for answer in answers) == {202: 400}
    assert len({answer.json()["id"] for answer in answers}) == 50
    assert sum("Idempotency-Replayed" not in answer.headers for answer in answers) == 50
    for process in processes:
        await process.stop()


async def test_without_redis_sagas_are_accepted_and_go_on_by_themselves(mongo_url: str, own_redis: RedisServer) -> None:
    settings = settings_for(mongo_url, own_redis.url)
    async with participating(settings), serving(settings) as client:
        await eventually(lambda: is_ready(client))
        await asyncio.to_thread(own_redis.stop)
        answer = await client.get("/readyz")
        assert "Redis does not answer" in problem(answer, "not-ready", 503)["detail"]
        accepted = [(await client.post("/v1/sagas", json=ordering())).status_code for _ in range(5)]
        assert accepted == [202] * 5
        assert (await client.get("/livez")).status_code == 200
        await asyncio.to_thread(own_redis.start)
        await eventually(lambda: is_ready(client), within_s=RECOVERY_S)
        await eventually(lambda: _all_completed(client), within_s=RECOVERY_S)


async def test_a_service_started_without_mongodb_waits_for_it(own_mongo: MongoServer, redis_url: str) -> None:
    settings = settings_for(own_mongo.url, redis_url)
    await asyncio.to_thread(own_mongo.stop)
    async with serving(settings) as client:
        assert (await client.get("/livez")).status_code == 200
        found = problem(await client.get("/readyz?verbose"), "not-ready", 503)
        assert found["checks"]["service"] == "waiting for MongoDB to begin"
        assert found["checks"]["mongodb"] != "ok"
        refused = await client.post("/v1/sagas", json=ordering())
        problem(refused, "unavailable", 503)
        assert refused.headers["Retry-After"]
        await asyncio.to_thread(own_mongo.start)
        await eventually(lambda: is_ready(client), within_s=RECOVERY_S)
        async with participating(settings):
            answer = await client.post("/v1/sagas", json=ordering(), headers={"Prefer": "wait=15"})
            assert answer.json()["status"] == "completed"


async def test_a_changed_definition_is_refused_also_when_mongodb_only_answers_later(
    own_mongo: MongoServer, redis_url: str
) -> None:
    settings = settings_for(own_mongo.url, redis_url)
    mongo = Mongo.connect(own_mongo.url)
    await MongoSagaStore(mongo, settings.database, Random(1)).insert(
        [replace(started("a", NOW).state, fingerprint="old")]
    )
    await asyncio.to_thread(own_mongo.stop)
    url: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    served = asyncio.create_task(serve(settings, ready=url.set_result))
    await asyncio.wait_for(url, RECOVERY_S)
    await asyncio.to_thread(own_mongo.start)
    with pytest.raises(ChangedDefinition):
        await asyncio.wait_for(served, RECOVERY_S)
    await mongo.close()


async def test_a_dead_letter_is_copied_to_mongodb_once(settings: Settings, mongo_url: str) -> None:
    orchestrator = Orchestrator(settings)
    await orchestrator.start()
    replies = orchestrator.bus.streams.replies
    await orchestrator.bus.publish([Entry(replies, {"causationid": "s/a/action", "outcome": "perhaps", "data": "{}"})])
    mongo = Mongo.connect(mongo_url)
    letters = mongo.database(settings.database).dead_letters
    (letter,) = await eventually(lambda: find(letters, {}, limit=2))
    assert letter["stream"] == replies
    assert letter["reason"]
    assert {"name": "outcome", "value": "perhaps"} in letter["fields"]
    await orchestrator.stop()
    await mongo.close()
