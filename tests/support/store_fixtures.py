"""Fixture of the store contract: each store there is, empty."""

import random
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from adapters.mongo import Mongo
from orchestrator.memory_store import MemorySagaStore
from orchestrator.store import MongoSagaStore, SagaStore


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
