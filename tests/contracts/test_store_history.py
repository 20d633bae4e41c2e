"""What every store promises of a saga's history."""

from dataclasses import replace

from orchestrator.core.decide import decide
from orchestrator.documents import HISTORY_LIMIT, Change, Past
from orchestrator.store import SagaStore
from sagas.order import order
from sagas.sendable import MAX_SENT_BYTES
from support.orders import failure, success
from support.store_fixtures import NOW, change, given, store

__all__ = ["store"]  # fixture


async def test_the_history_of_a_saga_is_what_happened_to_it_oldest_first(store: SagaStore) -> None:
    (state,) = await given(store, "a")
    entries = [state.last]
    for after in (failure, failure, success):
        decision = decide(order, state, after(state), NOW)
        await store.save([change(state, decision)])
        state = decision.state
        entries = [*(entries[:-1] if decision.folded else entries), state.last]
    assert [entry.count for entry in entries] == [1, 2, 1]
    assert await store.history("a") == Past((await store.load(["a"]))["a"], tuple(entries))
    assert await store.history("b") is None


async def test_of_two_transitions_in_one_write_the_first_may_be_a_repeated_one(store: SagaStore) -> None:
    (state,) = await given(store, "a")
    one = decide(order, state, failure(state), NOW)
    await store.save([change(state, one)])
    two = decide(order, one.state, failure(one.state), NOW)
    three = decide(order, two.state, success(two.state), NOW)
    assert two.folded
    assert three.transition is not None
    await store.save([change(one.state, two).then(three.state, three.transition, three.folded)])
    past = await store.history("a")
    assert past is not None
    assert [(entry.revision, entry.count) for entry in past.transitions] == [(1, 1), (2, 1), (3, 1), (4, 1)]


async def test_the_history_is_kept_up_to_a_limit(store: SagaStore) -> None:
    (state,) = await given(store, "a")
    for revision in range(2, HISTORY_LIMIT + 3):
        after = replace(state, revision=revision, last=replace(state.last, revision=revision))
        await store.save([Change(state, after, (after.last,))])
        state = after
    past = await store.history("a")
    assert past is not None
    assert [entry.revision for entry in past.transitions] == list(range(3, HISTORY_LIMIT + 3))


async def test_of_large_changes_fewer_are_kept_so_that_a_saga_can_always_be_saved(store: SagaStore) -> None:
    (state,) = await given(store, "a")
    largest = {"a": [1] * ((MAX_SENT_BYTES - 10) // 2)}
    for revision in range(2, 15):
        changed = largest if revision < 13 else {"a": [1]}
        after = replace(state, revision=revision, last=replace(state.last, revision=revision, data=changed))
        assert await store.save([Change(state, after, (after.last,))]) == {"a"}
        state = after
    past = await store.history("a")
    assert past is not None
    assert [entry.revision for entry in past.transitions] == [12, 13, 14]
