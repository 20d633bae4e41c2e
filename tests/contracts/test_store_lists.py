"""What every saga store promises of its lists: in memory, and on MongoDB through either driver."""

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from orchestrator.core.state import SagaState, Status
from orchestrator.listed import Page, Query
from orchestrator.store import SagaStore
from support.clock import ManualClock
from support.orders import started
from support.store_fixtures import store

__all__ = ["store"]  # fixture

NOW = ManualClock().now()
NAMES = ("order", "refund")
STATUSES = (Status.RUNNING, Status.COMPLETED, Status.STUCK)
PREFIXES = ("a", "b", "ab", "ba", "abb")


async def pages(store: SagaStore, query: Query) -> list[Page]:
    """This one and all that follow it."""
    found = [await store.page(query)]
    while found[-1].next is not None:
        assert query.after is None or found[-1].next < query.after, "it goes back"
        query = replace(query, after=found[-1].next)
        found.append(await store.page(query))
    return found


def ids(page: Page) -> list[str]:
    return [state.id for state in page.sagas]


async def test_sagas_are_listed_newest_first_by_page_and_filter(store: SagaStore) -> None:
    states = [started(saga_id, NOW + timedelta(seconds=n)).state for n, saga_id in enumerate(["x1", "x2", "y3", "y4"])]
    await store.insert(states)
    first, rest = await pages(store, Query(limit=2))
    assert (ids(first), ids(rest)) == (["y4", "y3"], ["x2", "x1"])
    assert first.next == (first.sagas[-1].created_at, first.sagas[-1].id)
    assert ids(await store.page(Query(prefix="x"))) == ["x2", "x1"]
    assert ids(await store.page(Query(since=NOW + timedelta(seconds=3)))) == ["y4"]
    assert await store.page(Query(saga="other")) == Page([], None)
    assert await store.page(Query(status=Status.STUCK)) == Page([], None)
    assert ids(await store.page(Query(saga="order", status=Status.RUNNING))) == ["y4", "y3", "x2", "x1"]


async def test_a_prefix_that_few_have_is_found_at_once_behind_however_many_others(store: SagaStore) -> None:
    states = [started(f"{n:02}", NOW + timedelta(seconds=n)).state for n in range(20)]
    await store.insert([*states, *(started(f"old-{n}", NOW - timedelta(seconds=n)).state for n in range(3))])
    assert await store.page(Query(prefix="old", most=3)) == Page(
        list((await store.load(["old-0", "old-1", "old-2"])).values()), None
    )


async def test_a_prefix_that_many_have_is_looked_for_among_so_many_and_then_further_on(store: SagaStore) -> None:
    states = [started(f"{n:02}", NOW + timedelta(seconds=n)).state for n in range(5)]
    await store.insert([*states, *(started(f"old-{n}", NOW - timedelta(seconds=n)).state for n in range(3))])
    query = Query(prefix="old", most=2)
    found = await pages(store, query)
    assert [ids(page) for page in found] == [[], [], ["old-0"], ["old-1", "old-2"], []]
    assert found[0].next == (NOW + timedelta(seconds=3), "03")


def some_sagas(chosen: random.Random) -> list[SagaState]:
    """Many at the same few times, and of the same few letters."""
    made = {"".join(chosen.choices("ab", k=chosen.randint(3, 8))): None for _ in range(80)}
    return [
        replace(
            started(saga_id, NOW + timedelta(seconds=chosen.randint(0, 8))).state,
            saga=chosen.choice(NAMES),
            status=chosen.choice(STATUSES),
        )
        for saga_id in made
    ]


def some_query(chosen: random.Random) -> Query:
    moment = NOW + timedelta(seconds=chosen.randint(0, 8))
    return Query(
        saga=chosen.choice([None, None, *NAMES]),
        status=chosen.choice([None, None, None, *STATUSES]),
        since=chosen.choice([None, None, moment - timedelta(seconds=5)]),
        prefix=chosen.choice([None, *PREFIXES]),
        after=chosen.choice([None, None, (moment, chosen.choice(PREFIXES))]),
        limit=chosen.randint(1, 20),
        most=chosen.randint(3, 20),
    )


def listed(states: Sequence[SagaState], query: Query) -> list[str]:
    """All that the pages together are to have."""
    found = [
        state
        for state in states
        if query.saga in (None, state.saga)
        and query.status in (None, state.status)
        and (query.since is None or state.created_at >= query.since)
        and state.id.startswith(query.prefix or "")
        and (query.after is None or (state.created_at, state.id) < query.after)
    ]
    return [state.id for state in sorted(found, key=lambda state: (state.created_at, state.id), reverse=True)]


@pytest.mark.parametrize("seed", range(3))
async def test_who_follows_the_pages_sees_each_saga_once_and_in_order(store: SagaStore, seed: int) -> None:
    chosen = random.Random(seed)
    states = some_sagas(chosen)
    await store.insert(states)
    for _ in range(40):
        query = some_query(chosen)
        found = await pages(store, query)
        assert [saga_id for page in found for saga_id in ids(page)] == listed(states, query), query
        assert all(len(page.sagas) <= query.limit for page in found), query
        having_it = sum(state.id.startswith(query.prefix or "") for state in states)
        if query.prefix is None or having_it <= query.most:  # Then no page but the last one has fewer.
            assert all(len(page.sagas) == query.limit for page in found[:-1]), query
        else:
            assert len(found) <= len(states) / query.most + len(states) / query.limit + 2, query
