"""What every store promises to orchestrators that share the timers."""

from dataclasses import replace
from datetime import timedelta
from itertools import chain, count, islice

from orchestrator.shares import Share
from orchestrator.store import SagaStore
from support.clock import ManualClock
from support.orders import started
from support.store_fixtures import store

__all__ = ["store"]  # fixture

NOW = ManualClock().now()


async def test_of_due_sagas_a_share_has_its_own_and_those_that_others_have_left_for_too_long(store: SagaStore) -> None:
    ids = [f"saga-{number}" for number in range(40)]
    await store.insert([replace(started(saga_id, NOW).state, wake_at=NOW) for saga_id in ids])
    shares = [Share(number, 3) for number in range(3)]

    async def due(share: Share, after_s: float, limit: int = 100) -> list[str]:
        return [state.id for state in await store.due(NOW + timedelta(seconds=after_s), limit, share)]

    found = [await due(share, 1) for share in shares]
    assert sorted(chain(*found)) == sorted(ids), "each is in one share"
    assert all(found)
    assert sorted(await due(shares[1], 2)) == sorted(found[1] + found[0])
    assert sorted(await due(shares[1], 4)) == sorted(ids)
    few = len(found[1]) + 2
    assert set(found[1]) < set(await due(shares[1], 4, few)), "its own come first"
    assert len(await due(shares[1], 4, few)) == few


async def test_a_thousand_due_sagas_of_others_starve_none_of_ours(store: SagaStore) -> None:
    share = Share(0, 2)
    numbers = (f"saga-{number}" for number in count())
    theirs = list(islice((saga_id for saga_id in numbers if share.distance(saga_id) == 1), 1_100))
    ours = next(saga_id for saga_id in numbers if share.distance(saga_id) == 0)
    later = NOW + timedelta(seconds=1)
    await store.insert([replace(started(saga_id, NOW).state, wake_at=NOW) for saga_id in theirs])
    await store.insert([replace(started(ours, NOW).state, wake_at=later)])
    assert [state.id for state in await store.due(later, 10, share)] == [ours]
