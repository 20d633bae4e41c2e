"""What every census promises: in memory, and on MongoDB through either driver."""

import random
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest

from adapters.mongo import Mongo
from orchestrator.core.state import Status
from orchestrator.memory_store import MemorySagaStore
from orchestrator.metrics.census import Census, MemoryCensus, MongoCensus, Row
from orchestrator.store import MongoSagaStore, SagaStore
from support.clock import ManualClock
from support.orders import started

NOW = ManualClock().now()


@pytest.fixture(params=["memory", "motor", "pymongo"])
async def counted(request: pytest.FixtureRequest) -> AsyncIterator[tuple[SagaStore, Census]]:
    if request.param == "memory":
        memory = MemorySagaStore()
        yield memory, MemoryCensus(memory)
        return
    mongo = Mongo.connect(request.getfixturevalue("mongo_url"), driver=request.param)
    name = f"t{uuid4().hex[:8]}_orchestrator"
    store = MongoSagaStore(mongo, name, random.Random(1))
    await store.prepare()
    yield store, MongoCensus(mongo, name)
    await mongo.close()


async def test_nothing_in_flight_is_no_row(counted: tuple[SagaStore, Census]) -> None:
    store, census = counted
    assert await census.take() == []
    await store.insert([replace(started("a", NOW).state, status=Status.COMPLETED)])
    assert await census.take() == []


async def test_sagas_that_have_not_ended_are_counted_by_name_and_status(counted: tuple[SagaStore, Census]) -> None:
    store, census = counted
    later = NOW + timedelta(minutes=1)
    states = [
        started("a", later).state,
        started("b", NOW).state,
        replace(started("c", later).state, status=Status.STUCK),
        replace(started("d", NOW).state, status=Status.COMPENSATED),
        replace(started("e", NOW).state, saga="other"),
    ]
    await store.insert(states)
    assert sorted(await census.take(), key=lambda row: (row.saga, row.status)) == [
        Row("order", Status.RUNNING, 2, NOW),
        Row("order", Status.STUCK, 1, later),
        Row("other", Status.RUNNING, 1, NOW),
    ]
