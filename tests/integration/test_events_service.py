"""Listening to the service as it is served: real MongoDB, real sagas, connections that break at any byte."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from random import Random
from typing import Any

import httpx
import pytest

from adapters.mongo import Mongo, find
from adapters.servers import MongoServer
from orchestrator.documents import history_from
from orchestrator.settings import Settings
from support import eventually
from support.listening import Hearing, asking, heard_to_its_end, listening
from support.services import is_ready, ordering, participating, serving, settings_for

ALL = "/v1/sagas/events"
DISCONNECTS = 100


@pytest.fixture
def settings(mongo_url: str, redis_url: str) -> Settings:
    return settings_for(mongo_url, redis_url)


@pytest.fixture
async def client(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    async with participating(settings), serving(settings) as client:
        yield client


@pytest.fixture
async def sagas(settings: Settings) -> AsyncIterator[Any]:
    """The raw collection."""
    mongo = Mongo.connect(settings.mongo_url)
    yield mongo.database(settings.database).sagas
    await mongo.close()


async def stored(sagas: Any) -> Counter[tuple[str, int]]:
    """Every transition that the sagas' histories tell of."""
    documents = await find(sagas, {}, limit=10_000)
    return Counter((document["_id"], entry.revision) for document in documents for entry in history_from(document))


async def all_ended(sagas: Any, count: int) -> bool:
    return len(await find(sagas, {"status": {"$in": ["completed", "compensated"]}}, limit=count)) == count


async def break_off(client: httpx.AsyncClient, path: str, hearing: Hearing, after_bytes: int) -> None:
    """Listen, and leave after so many bytes, wherever that is; or at the end."""
    async with asking(client, path, hearing) as answer:
        async for received in answer.aiter_bytes():
            hearing.take(received[:after_bytes])
            after_bytes -= len(received)
            if after_bytes <= 0:
                return


async def keep_starting(client: httpx.AsyncClient, batches: int, size: int) -> None:
    """Orders that complete, that are out of stock and that can't be paid, in batches."""
    kinds = [ordering(), ordering(product="sold-out"), ordering(customer="broke")]
    for _ in range(batches):
        bodies = [kinds[number % 3] for number in range(size)]
        answer = await client.post("/v1/sagas:batch", json={"sagas": bodies})
        assert answer.status_code == 200


async def wholly_heard(sagas: Any, hearing: Hearing) -> bool:
    """Whether every transition was told, and none twice."""
    wanted = await stored(sagas)
    assert not Counter(hearing.transitions) - wanted
    return Counter(hearing.transitions) == wanted


async def test_over_a_hundred_disconnects_every_transition_is_told_once(client: httpx.AsyncClient, sagas: Any) -> None:
    rng, hearing = Random(7), Hearing()
    async with listening(client, ALL, hearing):
        await eventually(lambda: hearing.last_id)  # Without one it would begin anew.
    for _ in range(DISCONNECTS):  # Each hears less than its sagas tell, so that none waits for nothing.
        await keep_starting(client, 1, 3)
        await break_off(client, ALL, hearing, rng.choice([1, 100, 300, 1_000, 2_000]))
    await eventually(lambda: all_ended(sagas, 300), within_s=60)
    async with listening(client, ALL, hearing):
        await eventually(lambda: wholly_heard(sagas, hearing), within_s=30)
    assert not hearing.told("reset")


async def test_over_a_hundred_disconnects_of_single_sagas_too(client: httpx.AsyncClient, sagas: Any) -> None:
    rng, hearings = Random(7), {}
    load = asyncio.create_task(keep_starting(client, 10, 30))
    await eventually(lambda: has_some(sagas))
    for document in await find(sagas, {}, limit=25, sort=[("_id", -1)]):
        hearing = hearings[document["_id"]] = Hearing()
        for _ in range(DISCONNECTS // 25):
            await break_off(client, f"/v1/sagas/{document['_id']}/events", hearing, rng.choice([1, 150, 350, 700]))
    await load
    await asyncio.gather(*(hear_the_rest(client, saga_id, hearing) for saga_id, hearing in hearings.items()))
    told = sum((Counter(hearing.transitions) for hearing in hearings.values()), Counter[tuple[str, int]]())
    wanted = await stored(sagas)
    assert told == Counter({key: count for key, count in wanted.items() if key[0] in hearings})
    assert not any(hearing.told("reset") for hearing in hearings.values())


async def has_some(sagas: Any) -> bool:
    return len(await find(sagas, {}, limit=25)) == 25


async def hear_the_rest(client: httpx.AsyncClient, saga_id: str, hearing: Hearing) -> None:
    """To the end, and once more: then there is nothing to say."""
    path = f"/v1/sagas/{saga_id}/events"
    if await heard_to_its_end(client, path, hearing) == 200:
        assert await heard_to_its_end(client, path, hearing) == 204


# -- one reader, while somebody listens --------------------------------------------------------------------------------


async def open_streams(mongo: Mongo, settings: Settings) -> int:
    """Change streams that MongoDB has open on this test's sagas: waiting for changes, or between two looks."""
    found = await mongo.database("admin").command(
        "aggregate", 1, pipeline=[{"$currentOp": {"idleCursors": True}}], cursor={}
    )
    about = f"{settings.database}.sagas"
    cursors = [op.get("cursor", {}) for op in found["cursor"]["firstBatch"] if op.get("ns") == about]
    return len({cursor["cursorId"] for cursor in cursors if cursor.get("tailable")})


async def test_many_listeners_share_one_change_stream_and_without_any_there_is_none(
    client: httpx.AsyncClient, settings: Settings
) -> None:
    mongo = Mongo.connect(settings.mongo_url)
    async with AsyncExitStack() as stack:
        for number in range(12):
            path = ALL if number % 2 else f"/v1/sagas/{await started_alone(client)}/events"
            await stack.enter_async_context(listening(client, path, Hearing()))
        assert await open_streams(mongo, settings) <= 1
        await eventually(lambda: has_streams(mongo, settings, 1))
    await eventually(lambda: has_streams(mongo, settings, 0))
    await mongo.close()


async def has_streams(mongo: Mongo, settings: Settings, count: int) -> bool:
    return await open_streams(mongo, settings) == count


async def started_alone(client: httpx.AsyncClient) -> str:
    """A new saga whose end lies a while ahead."""
    saga: str = (await client.post("/v1/sagas", json=ordering())).json()["id"]
    return saga


# -- servers that go away ----------------------------------------------------------------------------------------------


async def is_refused(client: httpx.AsyncClient) -> bool:
    return (await client.get(ALL, params={"max_s": 1})).status_code == 503


async def test_while_mongodb_is_away_a_stream_stays_and_then_goes_on(own_mongo: MongoServer, redis_url: str) -> None:
    settings = settings_for(own_mongo.url, redis_url)
    hearing, one = Hearing(), Hearing()
    async with participating(settings), serving(settings) as client:
        mongo = Mongo.connect(own_mongo.url)
        sagas = mongo.database(settings.database).sagas
        async with listening(client, ALL, hearing):
            first = await started_alone(client)
            async with listening(client, f"/v1/sagas/{first}/events", one):
                await asyncio.to_thread(own_mongo.stop)
                await eventually(lambda: is_refused(client), within_s=30)
                await asyncio.to_thread(own_mongo.start)
                await eventually(lambda: is_ready(client), within_s=30)
                await started_alone(client)
                await eventually(lambda: all_ended(sagas, 2), within_s=60)
                await eventually(lambda: wholly_heard(sagas, hearing), within_s=30)
                await eventually(lambda: one.told("end"))
        assert not hearing.told("reset")
        await mongo.close()
