"""Listening to the service as it is served: real MongoDB, real sagas, connections that break at any byte."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from random import Random
from typing import Any

import httpx
import pytest

from adapters.mongo import Mongo, find
from orchestrator.documents import history_from
from orchestrator.settings import Settings
from support import eventually
from support.listening import Hearing, asking, listening
from support.services import ordering, participating, serving, settings_for

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


async def test_over_a_hundred_disconnects_every_transition_is_told_once(client: httpx.AsyncClient, sagas: Any) -> None:
    rng, hearing = Random(7), Hearing()
    await break_off(client, ALL, hearing, 1)
    load = asyncio.create_task(keep_starting(client, 40, 30))
    for _ in range(DISCONNECTS):
        await break_off(client, ALL, hearing, rng.choice([1, 100, 300, 3_000, 30_000]))
    await load
    await eventually(lambda: all_ended(sagas, 1_200), within_s=60)
    async with listening(client, ALL, hearing):
        wanted = await stored(sagas)
        await eventually(lambda: len(hearing.transitions) >= wanted.total(), within_s=30)
    assert Counter(hearing.transitions) == wanted
    assert not hearing.told("reset")
