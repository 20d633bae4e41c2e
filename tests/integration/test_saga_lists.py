"""A list of sagas looks at those that it shows, however many others are stored; on real MongoDB."""

import random
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from adapters.mongo import Mongo
from orchestrator.core.state import Status
from orchestrator.documents import to_document
from orchestrator.listed import FEW, Query
from orchestrator.store import COLLECTION, MongoSagaStore
from support.clock import ManualClock
from support.orders import started
from support.services import settings_for

NOW = ManualClock().now()
STORED = FEW + 2_000
RARE = 1_000  #: one in so many is of another saga, one of the oldest of these is stuck

#: a page, how many sagas it shows, and which one first
PAGES = [
    (Query(), 50, "new-00000"),
    (Query(saga="order"), 50, "new-00001"),
    (Query(saga="refund"), STORED // RARE, "new-00000"),
    (Query(saga="refund", status=Status.STUCK), 1, f"new-{STORED - RARE}"),
    (Query(saga="nobody"), 0, None),
    (Query(status=Status.STUCK), 1, f"new-{STORED - RARE}"),
    (Query(status=Status.RUNNING), 0, None),
    (Query(prefix="new"), 50, "new-00000"),
    (Query(prefix="new", status=Status.STUCK), 1, f"new-{STORED - RARE}"),
    (Query(prefix="old", limit=200), 100, f"old-{STORED - 100}"),
    (Query(prefix="nobody"), 0, None),
    (Query(after=(NOW - timedelta(seconds=9_000), "new-09000")), 50, "new-09001"),
    (Query(saga="order", after=(NOW - timedelta(seconds=9_000), "new-09000")), 50, "new-09001"),
    (Query(since=NOW - timedelta(seconds=9)), 10, "new-00000"),
]


@pytest.fixture
async def stored(mongo_url: str) -> AsyncIterator[tuple[MongoSagaStore, Any]]:
    """A store with many sagas, the first one the newest, and the database it is in."""
    mongo = Mongo.connect(mongo_url)
    name = settings_for(mongo_url, "redis://r/0").database
    store = MongoSagaStore(mongo, name, random.Random(1))
    await store.prepare()
    like = to_document(started("like", NOW).state)
    await mongo.database(name)[COLLECTION].insert_many(
        [
            like
            | {"_id": f"{'old' if number >= STORED - 100 else 'new'}-{number:05}"}
            | {"created_at": NOW - timedelta(seconds=number), "saga": "refund" if number % RARE == 0 else "order"}
            | {"status": "stuck" if number == STORED - RARE else "completed"}
            for number in range(STORED)
        ]
    )
    yield store, mongo.database(name)
    await mongo.close()


async def test_a_page_is_found_by_an_index(stored: tuple[MongoSagaStore, Any]) -> None:
    store, database = stored
    for query, shown, first in PAGES:
        await database.drop_collection("system.profile")
        await database.command("profile", 2)
        page = await store.page(query)
        await database.command("profile", 0)

        assert len(page) == shown, query
        assert next((state.id for state in page), None) == first, query
        (look,) = [each async for each in database["system.profile"].find({"op": "query"})]
        assert look["docsExamined"] <= shown + 2, (query, look["planSummary"])
