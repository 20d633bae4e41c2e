"""The store contract's fixture, each store there is, empty; and the sagas that are put into it."""

import random
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from adapters.mongo import Mongo
from orchestrator.core.state import Decision, SagaState
from orchestrator.documents import Change
from orchestrator.memory_store import MemorySagaStore
from orchestrator.store import MongoSagaStore, SagaStore
from support.clock import ManualClock
from support.orders import started

NOW = ManualClock().now()


@pytest.fixture(params=["memory", "motor", "pymongo"])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[SagaStore]:
    if request.param == "memory":
        yield MemorySagaStore()
        return
    mongo = Mongo.connect(request.getfixturevalue("mongo_url"), driver=request.param)
    made = MongoSagaStore(mongo, f"t{uuid4().hex[:8]}_orchestrator", random.Random(1))
    await made.prepare()
    yield made
    await mongo.close()


def change(before: SagaState, decision: Decision) -> Change:
    assert decision.transition is not None
    return Change(before, decision.state, (decision.transition,), decision.folded)


async def given(store: SagaStore, *ids: str) -> list[SagaState]:
    states = [started(saga_id, NOW).state for saga_id in ids]
    assert await store.insert(states) == [None] * len(states)
    return states
