"""What every saga store promises: in memory, and on MongoDB through either driver."""

import asyncio
import random
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from adapters.errors import Unavailable
from adapters.mongo import Mongo
from orchestrator.core.decide import decide
from orchestrator.core.state import SagaState, Status
from orchestrator.documents import Change
from orchestrator.listed import Query
from orchestrator.store import MongoSagaStore, SagaStore
from sagas.order import order
from support.orders import failure, started, succeeded, success
from support.store_fixtures import NOW, change, given, store

__all__ = ["store"]  # fixture


@pytest.fixture
async def documents(mongo_url: str) -> AsyncIterator[tuple[MongoSagaStore, Any]]:
    """A MongoDB store, and its raw collection."""
    mongo = Mongo.connect(mongo_url)
    name = f"t{uuid4().hex[:8]}_orchestrator"
    made = MongoSagaStore(mongo, name, random.Random(1))
    await made.prepare()
    yield made, mongo.database(name).sagas
    await mongo.close()


async def test_a_saga_is_loaded_as_it_was_inserted(store: SagaStore) -> None:
    (state,) = await given(store, "a")
    assert await store.load(["a", "unknown"]) == {"a": state}


async def test_an_id_is_taken_once_and_the_others_of_the_batch_go_in(store: SagaStore) -> None:
    (first,) = await given(store, "a")
    later = [replace(started(saga_id, NOW).state, request="other") for saga_id in ("b", "a", "c")]
    assert await store.insert(later) == [None, first, None]
    assert set(await store.load(["a", "b", "c"])) == {"a", "b", "c"}


async def test_the_same_id_twice_in_one_batch_is_one_saga(store: SagaStore) -> None:
    state = started("a", NOW).state
    assert await store.insert([state, replace(state, request="other")]) == [None, state]


async def test_a_change_is_loaded_as_it_was_saved(store: SagaStore) -> None:
    states = await given(store, "a", "b")
    decisions = [succeeded(state, NOW) for state in states]
    saved = await store.save([change(state, decision) for state, decision in zip(states, decisions, strict=True)])
    assert saved == {"a", "b"}
    assert await store.load(["a", "b"]) == {decision.state.id: decision.state for decision in decisions}


async def test_a_single_change_is_saved_too(store: SagaStore) -> None:
    (state,) = await given(store, "a")
    assert await store.save([change(state, succeeded(state, NOW))]) == {"a"}
    assert await store.save([change(state, succeeded(state, NOW))]) == set()


async def test_a_one_that_becomes_true_is_stored_as_true(store: SagaStore) -> None:
    """In Python they are equal, in MongoDB and in JSON they are not."""
    first = started("a", NOW).state
    state = replace(first, data={**first.data, "gift": 1})
    await store.insert([state])
    last = replace(state.last, revision=state.revision + 1, data={"gift": True})
    after = replace(state, revision=last.revision, data={**state.data, "gift": True}, last=last)
    await store.save([Change(state, after, (last,))])
    assert (await store.load(["a"]))["a"].data["gift"] is True


async def test_more_than_one_command_to_mongodb_can_hold_is_saved(store: SagaStore) -> None:
    states = await given(store, *(f"saga-{number}" for number in range(40)))
    reply = {"payment_id": "x" * 250_000}  # Twice in each update: in the data, and in the history.
    changes = [change(state, decide(order, state, success(state, reply), NOW)) for state in states]
    assert await store.save(changes) == {state.id for state in states}
    loaded = await store.load(["saga-0", "saga-39"])
    assert [loaded["saga-0"], loaded["saga-39"]] == [changes[0].after, changes[-1].after]


async def test_who_comes_second_with_a_revision_loses_and_the_others_of_the_batch_are_saved(store: SagaStore) -> None:
    a, b = await given(store, "a", "b")
    await store.save([change(a, succeeded(a, NOW))])
    lost = change(a, decide(order, a, failure(a), NOW))
    assert await store.save([lost, change(b, succeeded(b, NOW))]) == {"b"}
    loaded = await store.load(["a", "b"])
    assert loaded["a"] == succeeded(a, NOW).state
    assert loaded["b"] == succeeded(b, NOW).state


async def test_of_those_who_save_a_saga_at_once_one_wins_it(store: SagaStore) -> None:
    states = await given(store, *(f"saga-{number:02}" for number in range(30)))
    batches = [
        [change(state, decide(order, state, said(state), NOW + timedelta(seconds=number))) for state in part]
        for number, said, part in zip(
            range(3), (success, failure, success), (states, states[::-1], states[9:]), strict=True
        )
    ]
    won = await asyncio.gather(*(store.save(batch) for batch in batches))
    loaded = await store.load([state.id for state in states])
    for state in states:
        (winner,) = (batch for batch, ids in zip(batches, won, strict=True) if state.id in ids)
        assert loaded[state.id] == next(each.after for each in winner if each.after.id == state.id)


async def test_a_stale_writer_never_makes_a_wake_up_later(store: SagaStore) -> None:
    """The writer has read an early wake-up, the sweep moves it, the writer's own timer lies in between."""
    (state,) = await given(store, "a")
    moved = replace(state, wake_at=NOW + timedelta(hours=1))
    await store.reschedule([(state, moved)])
    decision = succeeded(state, NOW + timedelta(seconds=1))
    await store.save([change(state, decision)])
    wake_at = (await store.load(["a"]))["a"].wake_at
    assert wake_at is not None
    assert wake_at <= NOW + timedelta(seconds=1 + 3)


async def test_a_wake_up_moves_only_from_where_it_was_seen(store: SagaStore) -> None:
    (state,) = await given(store, "a")
    await store.reschedule([(state, replace(state, wake_at=NOW + timedelta(hours=1)))])
    await store.reschedule([(state, replace(state, wake_at=NOW + timedelta(hours=2)))])
    assert (await store.load(["a"]))["a"].wake_at == NOW + timedelta(hours=1)
    await store.reschedule([((await store.load(["a"]))["a"], replace(state, wake_at=None))])
    assert (await store.load(["a"]))["a"].wake_at is None


async def test_due_sagas_come_the_longest_overdue_first_up_to_a_limit(store: SagaStore) -> None:
    states = await given(store, "a", "b", "c", "d")
    for state, seconds in zip(states, (3, 1, 2, 9), strict=True):
        await store.reschedule([(state, replace(state, wake_at=NOW + timedelta(seconds=seconds)))])
    assert [state.id for state in await store.due(NOW + timedelta(seconds=5), 10)] == ["b", "c", "a"]
    assert [state.id for state in await store.due(NOW + timedelta(seconds=5), 2)] == ["b", "c"]


async def test_an_ended_saga_is_never_due_and_awaits_nothing(store: SagaStore) -> None:
    (state,) = await given(store, "a")
    for _ in order.steps:
        decision = succeeded(state, NOW)
        await store.save([change(state, decision)])
        state = decision.state
    assert state.status is Status.COMPLETED
    assert await store.load(["a"]) == {"a": state}
    assert await store.due(NOW + timedelta(days=9), 10) == []
    assert await store.awaiting(None, 10, NOW + timedelta(days=9)) == []
    assert await store.count_active(10) == 0


async def test_sagas_in_flight_are_found_by_wake_up_time_page_by_page(store: SagaStore) -> None:
    a, b, _ = await given(store, "a", "b", "c")
    await store.save([change(a, succeeded(a, NOW))])
    later = NOW + timedelta(seconds=1)
    assert [state.id for state in await store.awaiting(None, 2, later)] == ["a", "b"]
    assert [state.id for state in await store.awaiting(b, 10, later)] == ["c"]
    assert [state.id for state in await store.awaiting(None, 10, NOW - timedelta(seconds=1))] == []
    assert await store.count_active(2) == 2


async def test_two_transitions_in_one_write_leave_two_entries(documents: tuple[MongoSagaStore, Any]) -> None:
    store, collection = documents
    (state,) = await given(store, "a")
    one = succeeded(state, NOW)
    two = succeeded(one.state, NOW)
    assert two.transition is not None
    await store.save([change(state, one).then(two.state, two.transition, two.folded)])
    assert await store.load(["a"]) == {"a": two.state}
    entries = (await collection.find_one({"_id": "a"}))["history"]
    assert [(entry["revision"], entry["events"]) for entry in entries] == [
        (1, ["started"]),
        (2, ["step-succeeded"]),
        (3, ["step-succeeded"]),
    ]


async def test_equal_retries_are_one_counted_entry(documents: tuple[MongoSagaStore, Any]) -> None:
    store, collection = documents
    (state,) = await given(store, "a")
    for _ in range(3):
        decision = decide(order, state, failure(state), NOW)
        await store.save([change(state, decision)])
        state = decision.state
    entries = (await collection.find_one({"_id": "a"}))["history"]
    assert [(entry["revision"], entry.get("count", 1)) for entry in entries] == [(1, 1), (4, 3)]
    assert await store.load(["a"]) == {"a": state}


async def test_a_document_that_somebody_broke_stops_no_other_timer(documents: tuple[MongoSagaStore, Any]) -> None:
    store, collection = documents
    await given(store, "a", "b")
    await collection.update_one({"_id": "a"}, {"$unset": {"steps": ""}})
    later = NOW + timedelta(seconds=60)
    assert [state.id for state in await store.due(later, 1) + await store.due(later, 1)] == ["b"]
    assert await store.load(["a"]) == {}


async def test_a_document_that_somebody_broke_ends_no_list(documents: tuple[MongoSagaStore, Any]) -> None:
    store, collection = documents
    await given(store, "a", "b", "c", "d")
    await collection.update_many({"_id": {"$in": ["c", "d"]}}, {"$unset": {"steps": ""}})
    await collection.insert_many([{"_id": f"no-saga-{number}"} for number in range(4)])
    shown: list[SagaState] = []
    query = Query(limit=1)
    while (page := await store.page(query)).next is not None:
        shown += page.sagas
        query = replace(query, after=page.next)
    assert [state.id for state in [*shown, *page.sagas]] == ["b", "a"]


async def test_no_transition_of_a_running_saga_touches_an_index(documents: tuple[MongoSagaStore, Any]) -> None:
    store, collection = documents
    indexed = {field for index in (await collection.index_information()).values() for field, _ in index["key"]}
    (state,) = await given(store, "a")
    before = await collection.find_one({"_id": "a"})
    await store.save([change(state, succeeded(state, NOW + timedelta(seconds=1)))])
    after = await collection.find_one({"_id": "a"})
    assert indexed == {"_id", "created_at", "saga", "status", "wake_at"}
    assert {field: before[field] for field in indexed} == {field: after[field] for field in indexed}


async def test_an_index_that_another_release_defined_otherwise_is_made_anew(
    documents: tuple[MongoSagaStore, Any],
) -> None:
    store, collection = documents
    await collection.drop_index("wake_at")
    await collection.create_index([("wake_at", 1)], name="wake_at")
    await store.prepare()
    assert (await collection.index_information())["wake_at"]["key"] == [("wake_at", 1), ("_id", 1)]


async def test_an_id_taken_by_a_broken_document_is_not_answered_as_a_new_saga(
    documents: tuple[MongoSagaStore, Any],
) -> None:
    store, collection = documents
    (state,) = await given(store, "a")
    await collection.update_one({"_id": "a"}, {"$unset": {"steps": ""}})
    with pytest.raises(Unavailable):
        await store.insert([state])
