"""What every change feed promises: in memory, and on MongoDB through either driver."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple
from uuid import uuid4

import pytest
from bson.timestamp import Timestamp
from pymongo.errors import OperationFailure

from adapters.errors import PositionLost
from adapters.mongo import Driver, Mongo, find
from orchestrator.changes import ChangeFeed, Changes, Position, SagaEvent
from orchestrator.core.decide import decide
from orchestrator.core.state import Decision, SagaState, Transition
from orchestrator.documents import HISTORY_LIMIT, Change
from orchestrator.memory_store import MemorySagaStore
from orchestrator.mongo_changes import MongoChangeFeed
from orchestrator.store import MongoSagaStore, SagaStore
from sagas.order import order
from support.clock import ManualClock
from support.orders import failure, started, succeeded

clock = ManualClock()


class Stored(NamedTuple):
    """A store, and the feed of its changes."""

    store: SagaStore
    feed: ChangeFeed


@pytest.fixture(params=["memory", "motor", "pymongo"])
async def stored(request: pytest.FixtureRequest) -> AsyncIterator[Stored]:
    if request.param == "memory":
        memory = MemorySagaStore()
        yield Stored(memory, memory.changes)
        return
    mongo = Mongo.connect(request.getfixturevalue("mongo_url"), driver=request.param)
    name = f"t{uuid4().hex[:8]}_orchestrator"
    yield Stored(MongoSagaStore(mongo, name, random.Random(1)), MongoChangeFeed(mongo, name))
    await mongo.close()


async def start(stored: Stored, *ids: str) -> list[SagaState]:
    states = [started(saga_id, clock.advance(0.001)).state for saga_id in ids]
    assert await stored.store.insert(states) == [None] * len(states)
    return states


async def save(stored: Stored, *decided: tuple[SagaState, Decision]) -> list[SagaState]:
    changes = [change(before, decision) for before, decision in decided]
    assert len(await stored.store.save(changes)) == len(changes)
    return [decision.state for _, decision in decided]


def change(before: SagaState, *decisions: Decision) -> Change:
    """The decisions, saved in one write."""
    first, *others = decisions
    assert first.transition is not None
    made = Change(before, first.state, (first.transition,), first.folded)
    for decision in others:
        assert decision.transition is not None
        made = made.then(decision.state, decision.transition, decision.folded)
    return made


async def events(stored: Stored, after: Position | None, count: int) -> list[SagaEvent]:
    """The next so many events behind a position."""
    found: list[SagaEvent] = []
    async with asyncio.timeout(10), stored.feed.read(after) as changes:
        while len(found) < count:
            found += (await changes.page(0.2)).events
    return found


async def begin(stored: Stored) -> Position:
    """The position of a stream that begins now."""
    async with stored.feed.read(None) as changes:
        return changes.position


def told(events: Sequence[SagaEvent]) -> list[tuple[str, Transition]]:
    return [(event.saga_id, event.transition) for event in events]


async def test_every_transition_is_told_once_in_order(stored: Stored) -> None:
    position = await begin(stored)
    a, b = await start(stored, "a", "b")
    first, second = succeeded(a, clock.advance(1)), succeeded(b, clock.now())
    await save(stored, (a, first), (b, second))
    third = succeeded(first.state, clock.advance(1))
    await save(stored, (first.state, third))
    found = await events(stored, position, 5)
    assert told(found[:2]) == [("a", a.last), ("b", b.last)]
    assert dict(told(found[2:4])) == {"a": first.transition, "b": second.transition}
    assert told(found[4:]) == [("a", third.transition)]
    assert {(event.saga, event.version) for event in found} == {("order", 1)}


async def test_several_transitions_in_one_write_are_all_told(stored: Stored) -> None:
    (a,) = await start(stored, "a")
    position = await begin(stored)
    first = succeeded(a, clock.advance(1))
    second = succeeded(first.state, clock.now())
    await stored.store.save([change(a, first, second)])
    assert told(await events(stored, position, 2)) == [("a", first.transition), ("a", second.transition)]


async def test_a_folded_transition_is_told_as_it_is_now(stored: Stored) -> None:
    (state,) = await start(stored, "a")
    position = await begin(stored)
    made = []
    for _ in range(3):
        decision = decide(order, state, failure(state), clock.advance(1))
        made.append(decision.transition)
        (state,) = await save(stored, (state, decision))
    assert [entry.count for entry in made if entry] == [1, 2, 3]
    assert [event.transition for event in await events(stored, position, 3)] == made


async def test_of_a_history_at_its_limit_only_what_is_new_is_told(stored: Stored) -> None:
    (state,) = await start(stored, "a")
    for _ in range(2):
        state = await extended(stored, state, HISTORY_LIMIT - 1)
    position = await begin(stored)
    await extended(stored, state, 3)
    found = await events(stored, position, 3)
    assert [event.transition.revision for event in found] == [state.revision + number for number in (1, 2, 3)]


async def extended(stored: Stored, state: SagaState, count: int) -> SagaState:
    """The saga with so many more transitions, in one write."""
    now = clock.advance(1)
    entries = tuple(replace(state.last, revision=state.revision + number, at=now) for number in range(1, count + 1))
    after = replace(state, revision=entries[-1].revision, updated_at=now, last=entries[-1])
    assert await stored.store.save([Change(state, after, entries)]) == {state.id}
    return after


async def test_whoever_goes_on_from_any_event_misses_nothing_and_gets_nothing_twice(stored: Stored) -> None:
    position = await begin(stored)
    (a,) = await start(stored, "a")
    first = succeeded(a, clock.advance(1))
    second = succeeded(first.state, clock.now())
    await stored.store.save([change(a, first, second)])
    await start(stored, "b")
    found = await events(stored, position, 4)
    assert len({event.id for event in found}) == 4
    for number, event in enumerate(found[:-1]):
        behind = Position.parse(event.id)
        assert behind is not None
        assert told(await events(stored, behind, 3 - number)) == told(found[number + 1 :])


async def test_positions_compare_in_the_order_of_the_writes(stored: Stored) -> None:
    position = await begin(stored)
    await start(stored, *(f"saga-{number}" for number in range(20)))
    found = await events(stored, position, 20)
    order_of_writes = [position.token, *(event.change for event in found)]
    assert order_of_writes == sorted(order_of_writes)
    async with stored.feed.read(None) as changes:
        assert changes.position.token >= found[-1].change


async def test_a_wake_up_that_moves_is_no_event(stored: Stored) -> None:
    (a,) = await start(stored, "a")
    position = await begin(stored)
    await stored.store.reschedule([(a, replace(a, wake_at=clock.advance(60)))])
    await start(stored, "b")
    assert [event.saga_id for event in await events(stored, position, 1)] == ["b"]


async def test_a_page_without_events_comes_in_time(stored: Stored) -> None:
    async with asyncio.timeout(5), stored.feed.read(None) as changes:
        page = await changes.page(0.05)
    assert page.events == ()
    assert page.position.token >= changes.position.token


async def test_what_happens_while_a_page_is_awaited_comes_with_it(stored: Stored) -> None:
    async with stored.feed.read(None) as changes:
        page = asyncio.create_task(changes.page(10))
        await start(stored, "a")
        assert [event.saga_id for event in (await asyncio.wait_for(page, 5)).events] == ["a"]


async def test_a_stream_that_begins_now_begins_behind_what_can_be_read(stored: Stored) -> None:
    """What is written while it opens is either told, or read afterwards: never neither."""
    for number in range(20):
        writing = asyncio.create_task(start(stored, f"saga-{number}"))
        async with stored.feed.read(None) as changes:
            read = set(await stored.store.load([f"saga-{number}"]))
            await writing
            if not read:
                async with asyncio.timeout(5):
                    assert (await changes.page(5)).events[0].saga_id == f"saga-{number}"


# -- what only MongoDB can do ------------------------------------------------------------------------------------------


@pytest.fixture(params=["motor", "pymongo"])
async def real(request: pytest.FixtureRequest) -> AsyncIterator[tuple[Stored, Any]]:
    """A store on MongoDB with its feed, and its raw collection."""
    mongo = Mongo.connect(request.getfixturevalue("mongo_url"), driver=request.param)
    name = f"t{uuid4().hex[:8]}_orchestrator"
    made = Stored(MongoSagaStore(mongo, name, random.Random(1)), MongoChangeFeed(mongo, name))
    yield made, mongo.database(name).sagas
    await mongo.close()


async def read_to_the_end(changes: Changes) -> None:
    for _ in range(5):
        await changes.page(1)


async def is_lost(stored: Stored, token: str) -> bool:
    try:
        async with stored.feed.read(Position(token)) as changes:
            await changes.page(0.01)
    except PositionLost:
        return True
    return False


@pytest.mark.parametrize("driver", ["motor", "pymongo"])
async def test_a_session_reads_nothing_older_than_it_knows(mongo_url: str, driver: Driver) -> None:
    """A stream that begins now waits by this: what is written just then would be neither read nor told of."""
    mongo = Mongo.connect(mongo_url, driver=driver)
    collection = mongo.database(f"t{uuid4().hex[:8]}").waiting
    async with mongo.session() as session:
        await find(collection, {}, limit=1, session=session)
        session.advance_operation_time(Timestamp(session.cluster_time["clusterTime"].time + 3_600, 1))
        with pytest.raises(OperationFailure, match="afterClusterTime"):
            await find(collection, {}, limit=1, session=session)
    await mongo.close()


@pytest.mark.parametrize("token", ["00" * 20, "FF" * 20, "82" * 400, "82" + "0" * 14])
async def test_a_position_that_never_was_is_lost(real: tuple[Stored, Any], token: str) -> None:
    await start(real[0], "a")
    assert await is_lost(real[0], token)


async def test_a_position_that_the_oplog_does_not_hold_is_lost(real: tuple[Stored, Any]) -> None:
    stored, _ = real
    position = await begin(stored)
    await start(stored, "a")
    (event,) = await events(stored, position, 1)
    assert await is_lost(stored, event.id[:2] + "40000000" + event.id[10:])


async def test_positions_of_a_collection_that_was_dropped_are_lost_and_a_new_one_is_followed(
    real: tuple[Stored, Any],
) -> None:
    stored, sagas = real
    await start(stored, "a")
    async with stored.feed.read(None) as changes:
        position = changes.position
        await sagas.drop()
        with pytest.raises(PositionLost):
            await read_to_the_end(changes)
    assert await is_lost(stored, position.token)
    position = await begin(stored)
    await start(stored, "b")
    assert [event.saga_id for event in await events(stored, position, 1)] == ["b"]


async def test_documents_that_somebody_broke_by_hand_stop_nothing(real: tuple[Stored, Any]) -> None:
    stored, sagas = real
    (a,) = await start(stored, "a")
    position = await begin(stored)
    await sagas.insert_many([{"_id": "x"}, {"_id": 7, "history": []}, {"_id": {"a": 1}}, {"_id": "y", "saga": {}}])
    await sagas.insert_one({"_id": "z", "saga": "order", "version": 1, "history": "gone"})
    await sagas.update_one({"_id": "z"}, {"$set": {"revision": 5, "history": [1, 2], "dåta": 1}})
    await sagas.update_one({"_id": "a"}, {"$set": {"revision": 1, "data.ä": 1, "history.0.count": 3}})
    await sagas.delete_one({"_id": "y"})
    await save(stored, (a, succeeded(a, clock.advance(1))))
    await start(stored, "b")
    assert [event.saga_id for event in await events(stored, position, 2)] == ["a", "b"]


async def test_when_a_stream_is_closed_mongodb_forgets_its_cursor(real: tuple[Stored, Any]) -> None:
    stored, sagas = real
    async with stored.feed.read(None) as changes:
        await changes.page(0.01)
        assert await cursors(sagas) == 1
    assert await cursors(sagas) == 0


async def cursors(sagas: Any) -> int:
    """Cursors that are open on the collection and not in use."""
    pipeline = [{"$currentOp": {"idleCursors": True}}, {"$match": {"ns": sagas.full_name, "type": "idleCursor"}}]
    admin = sagas.database.client.get_database("admin")
    return len((await admin.command("aggregate", 1, pipeline=pipeline, cursor={}))["cursor"]["firstBatch"])
