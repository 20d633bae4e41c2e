"""A list of sagas looks at those that it shows, and at no more than so many others; on real MongoDB."""

import random
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from adapters.mongo import Mongo
from orchestrator.core.state import Status
from orchestrator.documents import to_document
from orchestrator.listed import Query
from orchestrator.store import COLLECTION, MongoSagaStore
from support.clock import ManualClock
from support.orders import started
from support.services import settings_for

NOW = ManualClock().now()
STORED = 12_000
SAME = range(4_000, 8_000)  #: began at the same time
OLD = range(STORED - 400, STORED)  #: have another prefix
RARE = 1_000  #: one in so many is of another saga, one of the oldest of these is stuck
STUCK = STORED - RARE
MOST = 300  #: sagas among which a prefix is looked for
ENDS = 20  #: entries behind the end of a range, and a list of one kind of saga is made of so many ranges


def place(number: int) -> tuple[datetime, str]:
    """Of a saga in the list of all, from 0."""
    at = NOW - timedelta(seconds=SAME.start if number in SAME else number)
    return at, f"{'old' if number in OLD else 'new'}-{STORED - number:05}"


FAR, AMONG_THE_SAME = place(3_000), place(6_000)

#: a page, how many sagas it shows, and the number of the first of these
PAGES = [
    (Query(), 50, 0),
    (Query(saga="order"), 50, 1),
    (Query(saga="refund"), STORED // RARE, 0),
    (Query(saga="refund", status=Status.STUCK), 1, STUCK),
    (Query(saga="nobody"), 0, None),
    (Query(status=Status.STUCK), 1, STUCK),
    (Query(status=Status.RUNNING), 0, None),
    (Query(since=NOW - timedelta(seconds=9)), 10, 0),
    (Query(after=FAR), 50, 3_001),
    (Query(after=FAR, saga="order"), 50, 3_001),
    (Query(after=FAR, saga="order", status=Status.COMPLETED), 50, 3_001),
    (Query(after=FAR, saga="refund"), 8, 4_000),
    (Query(after=FAR, since=NOW - timedelta(seconds=3_009)), 9, 3_001),
    (Query(after=AMONG_THE_SAME), 50, 6_001),
    (Query(after=AMONG_THE_SAME, saga="order"), 50, 6_001),
    (Query(after=AMONG_THE_SAME, status=Status.COMPLETED), 50, 6_001),
    (Query(prefix="new"), 50, 0),
    (Query(prefix="new", status=Status.STUCK), 1, STUCK),
    (Query(prefix="old-000", limit=200), 99, STORED - 99),
    (Query(prefix="old-000", after=AMONG_THE_SAME, saga="order", limit=200), 99, STORED - 99),
    (Query(prefix="nobody"), 0, None),
    (Query(prefix="old"), 0, None),
    (Query(prefix="old", saga="order"), 0, None),
    (Query(prefix="old", status=Status.COMPLETED), 0, None),
    (Query(prefix="old", after=FAR), 0, None),
    (Query(prefix="old", after=AMONG_THE_SAME), 0, None),
    (Query(prefix="old", after=AMONG_THE_SAME, saga="order"), 0, None),
    (Query(prefix="old", after=place(OLD.start - 100)), 50, OLD.start),
]


@pytest.fixture
async def stored(mongo_url: str) -> AsyncIterator[tuple[MongoSagaStore, Any]]:
    """A store with many sagas, and the database it is in."""
    mongo = Mongo.connect(mongo_url)
    database = mongo.database(settings_for(mongo_url, "redis://r/0").database)
    store = MongoSagaStore(mongo, database.name, random.Random(1))
    await store.prepare()
    like = to_document(started("like", NOW).state)
    await database[COLLECTION].insert_many(
        [
            like
            | dict(zip(("created_at", "_id"), place(number), strict=True))
            | {"saga": "refund" if number % RARE == 0 else "order"}
            | {"status": "stuck" if number == STUCK else "completed"}
            for number in range(STORED)
        ]
    )
    yield store, database
    await mongo.close()


async def test_a_page_looks_at_what_it_shows_and_a_search_at_no_more_than_it_may(
    stored: tuple[MongoSagaStore, Any],
) -> None:
    store, database = stored
    for query, shown, first in PAGES:
        await database.drop_collection("system.profile")
        await database.command("profile", 2)
        page = await store.page(replace(query, most=MOST))
        await database.command("profile", 0)

        assert len(page.sagas) == shown, query
        assert [state.id for state in page.sagas[:1]] == ([] if first is None else [place(first)[1]]), query
        ours = {"ns": f"{database.name}.{COLLECTION}"}
        looks = [look async for look in database["system.profile"].find(ours)]
        may = shown + 1 if query.prefix is None else 3 * MOST
        assert sum(look["keysExamined"] for look in looks) <= may + ENDS, (query, looks)
        assert sum(look["docsExamined"] for look in looks) <= shown + 1, (query, looks)
