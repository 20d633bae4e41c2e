"""Ended sagas go when their time is over, and nothing else does; on real MongoDB, through either driver."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from adapters.clock import SystemClock
from adapters.mongo import Mongo, find
from orchestrator.core.state import SagaState, Status
from orchestrator.mongo_changes import MongoChangeFeed
from orchestrator.retention import ARCHIVE, BATCH, SagaRetention
from orchestrator.settings import Settings
from orchestrator.store import COLLECTION, MongoSagaStore
from support import eventually
from support.clock import ManualClock
from support.orders import started
from support.services import WITHIN_S, ordering, participating, serving, settings_for

NOW = ManualClock().now()
OLD = NOW - timedelta(days=4)
CUT = NOW - timedelta(days=3)


@dataclass
class Place:
    """A database with sagas, and who purges it."""

    mongo: Mongo
    settings: Settings
    gone: list[int]

    @property
    def store(self) -> MongoSagaStore:
        return MongoSagaStore(self.mongo, self.settings.database, random.Random(1))

    def retention(self, *, archive: bool = True, mongo: Any = None) -> SagaRetention:
        settings = self.settings.model_copy(update={"archive": archive})
        return SagaRetention(mongo or self.mongo, settings, ManualClock(), self.gone.append)

    async def ids(self, collection: str = COLLECTION) -> list[str]:
        found = await find(self.mongo.database(self.settings.database)[collection], {}, limit=10_000)
        return sorted(document["_id"] for document in found)


@pytest.fixture(params=["motor", "pymongo"])
async def place(request: pytest.FixtureRequest, mongo_url: str) -> AsyncIterator[Place]:
    mongo = Mongo.connect(mongo_url, driver=request.param)
    place = Place(mongo, settings_for(mongo_url, "redis://r/0", inbox_expiry_days=2, retention_days=3), [])
    await place.store.prepare()
    yield place
    await mongo.close()


def ended(saga_id: str, at: datetime = OLD, status: Status = Status.COMPLETED, **changes: Any) -> SagaState:
    state = started(saga_id, at).state
    return replace(state, status=status, ended_at=at, pending=(), wake_at=None, **changes)


async def test_what_ended_long_ago_goes_and_nothing_else(place: Place) -> None:
    await place.store.insert([ended("a"), ended("b", status=Status.COMPENSATED)])
    stay = [
        ended("ended-later", at=CUT),
        replace(ended("lived-long", at=CUT), created_at=OLD - timedelta(days=90)),
        started("running", OLD).state,
        replace(started("compensating", OLD).state, status=Status.COMPENSATING),
        replace(started("stuck", OLD).state, status=Status.STUCK),
        replace(ended("not-announced"), wake_at=OLD),
    ]
    await place.store.insert(stay)
    assert await place.retention(archive=False).purge(CUT) == 2
    assert await place.ids() == sorted(state.id for state in stay)
    assert await place.ids(ARCHIVE) == []
    assert await place.retention(archive=False).purge(CUT) == 0
    assert place.gone == [2]


async def test_an_archived_saga_is_all_there_under_its_id_and_the_time_of_its_beginning(place: Place) -> None:
    await place.store.insert([ended("a")])
    database = place.mongo.database(place.settings.database)
    (before,) = await find(database[COLLECTION], {}, limit=2)
    await place.retention().purge(CUT)
    (copy,) = await find(database[ARCHIVE], {"_id": {"$regex": "^a/"}}, limit=2)
    assert copy == before | {"_id": "a/2025-12-28T12:00:00.000Z"}
    assert await place.ids() == []


async def test_an_id_that_is_used_again_has_two_copies_in_the_end(place: Place) -> None:
    for at in (OLD, OLD + timedelta(hours=1)):
        await place.store.insert([ended("a", at=at)])
        assert await place.retention().purge(CUT) == 1
    assert await place.ids(ARCHIVE) == ["a/2025-12-28T12:00:00.000Z", "a/2025-12-28T13:00:00.000Z"]


async def test_who_dies_between_copying_and_removing_leaves_nothing_double(place: Place) -> None:
    for _ in range(2):  # The second time as if the first had not come to removing it.
        await place.store.insert([ended("a")])
        assert await place.retention().purge(CUT) == 1
    assert await place.ids(ARCHIVE) == ["a/2025-12-28T12:00:00.000Z"]


async def test_several_purge_at_once_and_each_saga_goes_once(place: Place) -> None:
    names = [f"s{number:04}" for number in range(BATCH + 100)]
    await place.store.insert([ended(name) for name in names])
    turns = [place.retention().purge(CUT) for _ in range(3)]
    assert sum(await asyncio.gather(*turns)) == BATCH
    assert await place.retention().purge(CUT) == 100
    assert await place.ids() == []
    assert await place.ids(ARCHIVE) == [f"{name}/2025-12-28T12:00:00.000Z" for name in names]


async def test_a_saga_that_takes_an_id_while_it_is_being_freed_stays(place: Place) -> None:
    new = started("a", NOW).state

    async def restart() -> None:
        assert await place.retention(archive=False).purge(CUT) == 1
        await place.store.insert([new])

    await place.store.insert([ended("a")])
    slow = _Slow(place.mongo, restart)
    assert await place.retention(archive=False, mongo=slow).purge(CUT) == 0
    assert await place.store.load(["a"]) == {"a": new}


async def test_a_look_reads_the_oldest_by_an_index_and_no_more_than_it_removes(place: Place) -> None:
    recent = [ended(f"recent{number}", at=NOW) for number in range(50)]
    await place.store.insert([*recent, *(started(f"running{number}", OLD).state for number in range(50))])
    await place.store.insert([ended("a"), ended("b", status=Status.COMPENSATED)])
    database = place.mongo.database(place.settings.database)
    await database.command("profile", 2)
    await place.retention(archive=False).purge(CUT)
    await database.command("profile", 0)
    (query,) = await find(database["system.profile"], {"op": "query", "command.find": COLLECTION}, limit=2)
    assert "COLLSCAN" not in query["planSummary"]
    assert not query.get("hasSortStage")
    assert query["docsExamined"] == 2


async def test_the_service_purges_by_itself_says_so_and_its_listeners_and_lists_do_not_mind(
    mongo_url: str, redis_url: str
) -> None:
    settings = settings_for(mongo_url, redis_url, inbox_expiry_days=2, retention_days=3, archive=True)
    mongo = Mongo.connect(mongo_url)
    store = MongoSagaStore(mongo, settings.database, random.Random(1))
    long_ago = SystemClock().now() - timedelta(days=4)
    await store.prepare()
    await store.insert([ended("old", at=long_ago), ended("young", at=SystemClock().now())])
    async with participating(settings), serving(settings) as client:
        await eventually(lambda: _is_gone(client, "old"), within_s=WITHIN_S)
        metrics = (await client.get("/metrics")).text
        assert "saga_purged_total 1.0" in metrics
        assert [saga["id"] for saga in (await client.get("/v1/sagas")).json()["items"]] == ["young"]
        again = await client.post("/v1/sagas", json=ordering(id="old"), headers={"Prefer": "wait=10"})
        assert again.json()["status"] == "completed", "its time is over, so its id is free"
    await mongo.close()


async def test_a_change_stream_passes_over_sagas_that_went(place: Place) -> None:
    await place.store.insert([ended("before")])
    feed = MongoChangeFeed(place.mongo, place.settings.database)
    async with feed.read(None) as changes:
        assert await place.retention().purge(CUT) == 1
        await place.store.insert([started("after", NOW).state])
        told: Sequence[Any] = ()
        while not told:
            told = (await changes.page(1.0)).events
    assert {event.saga_id for event in told} == {"after"}


async def _is_gone(client: Any, saga_id: str) -> bool:
    return bool((await client.get(f"/v1/sagas/{saga_id}")).status_code == 404)


class _Slow:
    """A connection on which something happens before each removal."""

    def __init__(self, mongo: Mongo, before: Callable[[], Awaitable[None]]) -> None:
        self._mongo = mongo
        self._before = before

    def database(self, name: str) -> Any:
        return {COLLECTION: _SlowCollection(self._mongo.database(name)[COLLECTION], self._before)}


class _SlowCollection:
    def __init__(self, collection: Any, before: Callable[[], Awaitable[None]]) -> None:
        self.find = collection.find
        self._collection = collection
        self._before = before

    async def delete_many(self, query: Any) -> Any:
        await self._before()
        return await self._collection.delete_many(query)
