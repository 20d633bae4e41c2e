"""The engine on in-memory twins: what it saves, what it announces, and in which order."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import pytest

from adapters.bus import Ack, Dead, Delivery
from adapters.errors import Unavailable
from adapters.streams.envelope import encode_reply
from orchestrator.core.state import CancelRequested, SagaState, Status
from orchestrator.documents import Change
from orchestrator.memory_store import MemorySagaStore
from orchestrator.observer import Applied, Unobserved
from orchestrator.replies import ReplyHandler
from orchestrator.sweeper import Sweeper
from orchestrator.work import Input, Start
from sagas import Saga
from sagas.order import order
from support.engines import INVENTORY, PAYMENT, STREAMS, World, start
from support.orders import ONE_PAIR, succeeded, success


@pytest.fixture
def world() -> World:
    return World()


async def test_a_started_saga_is_stored_and_its_first_command_is_on_the_stream(world: World) -> None:
    await world.start("a", "b")
    assert world.state("a").status is Status.RUNNING
    assert world.sent(INVENTORY) == [("a/reserve-stock/action", "1"), ("b/reserve-stock/action", "1")]
    assert [fields["type"] for fields in world.bus.server.entries(STREAMS.events)] == ["saga.order.started"] * 2
    assert world.bus.server.entries(INVENTORY)[0]["replyto"] == STREAMS.replies


async def test_a_repeated_start_is_the_same_saga_and_announces_nothing(world: World) -> None:
    await world.start("a")
    again = Start(order, "a", order.start(ONE_PAIR), "r")
    (same,) = await start(world.engine, again)
    (other,) = await start(world.engine, replace(again, request="another"))
    assert (same.replayed, same.taken) == (True, False)
    assert (other.replayed, other.taken) == (False, True)
    assert len(world.sent(INVENTORY)) == 1


async def test_an_accepted_saga_survives_a_bus_that_is_away(world: World) -> None:
    world.bus.server.down = True
    await world.start("a")
    assert world.state("a").status is Status.RUNNING
    world.bus.server.down = False
    world.clock.advance(3)
    assert await world.sweeper.sweep() == 1
    assert world.sent(INVENTORY) == [("a/reserve-stock/action", "1")]


async def test_where_streams_are_on_several_servers_a_command_waits_for_its_events(world: World) -> None:
    world.bus.in_order = False
    world.bus.server.refused.add(STREAMS.events)
    await world.start("a")
    assert world.sent(INVENTORY) == []
    world.bus.server.refused.clear()
    world.clock.advance(3)
    await world.sweeper.sweep()
    assert world.sent(INVENTORY) == [("a/reserve-stock/action", "1")]
    assert [fields["type"] for fields in world.bus.server.entries(STREAMS.events)] == ["saga.order.started"]


async def test_nothing_is_accepted_while_the_store_is_away(world: World) -> None:
    world.store.away = True
    with pytest.raises(Unavailable):
        await world.start("a")
    assert world.sent(INVENTORY) == []


async def test_a_reply_moves_the_saga_on(world: World) -> None:
    await world.start("a")
    await world.engine.apply([Input("a", success(world.state("a")))])
    assert world.state("a").data["amount"] == 1999
    assert world.sent(PAYMENT) == [("a/charge-payment/action", "1")]


async def test_several_replies_for_one_saga_in_a_batch_are_one_write(world: World) -> None:
    await world.start("a")
    state = world.state("a")
    following = succeeded(state, world.clock.now()).state
    await world.engine.apply([Input("a", success(state)), Input("a", success(following))])
    assert world.state("a").revision == 3
    assert world.state("a").pending[0].step == "confirm"


async def test_a_fresh_repeat_is_only_acknowledged(world: World) -> None:
    await world.start("a")
    reply = success(world.state("a"))
    for _ in range(2):
        await world.engine.apply([Input("a", reply)])
    assert world.sent(PAYMENT) == [("a/charge-payment/action", "1")]


async def test_a_redelivered_reply_sends_again_what_its_transition_had_caused(world: World) -> None:
    await world.start("a")
    reply = success(world.state("a"))
    await world.engine.apply([Input("a", reply)])
    events = len(world.sent(STREAMS.events))
    await world.engine.apply([Input("a", reply, redelivered=True)])
    assert world.sent(PAYMENT) == [("a/charge-payment/action", "1")] * 2
    assert world.sent(STREAMS.events)[-1] == world.sent(STREAMS.events)[events - 1]


async def test_a_decision_from_a_stale_cache_that_changes_nothing_is_taken_again(world: World) -> None:
    """Both engines have it in their caches; the second reply reaches the one with the old state."""
    other = world.another()
    await world.start("a")
    state = world.state("a")
    await other.apply([Input("a", success(state))])
    await world.engine.apply([Input("a", success(world.state("a")))])
    assert world.state("a").pending[0].step == "confirm"


async def test_who_loses_the_race_decides_again_and_announces_only_then(world: World) -> None:
    await world.start("a")
    state = world.state("a")
    await world.another().apply([Input("a", success(state))])
    await world.engine.apply([Input("a", CancelRequested("changed my mind"))])
    assert world.state("a").status is Status.COMPENSATING
    assert world.state("a").steps[1].status == "compensating"
    assert ("a/reserve-stock/compensation", "1") not in world.sent(INVENTORY)
    assert world.sent(PAYMENT)[-1] == ("a/charge-payment/compensation", "1")


async def test_nothing_is_announced_before_it_is_saved(world: World) -> None:
    await world.start("a")
    world.engine.store = _Failing(world.store)
    with pytest.raises(Unavailable):
        await world.engine.apply([Input("a", success(world.state("a")))])
    assert world.sent(PAYMENT) == []


class _Failing(MemorySagaStore):
    """Saves, and then says that it does not know whether it has."""

    def __init__(self, inner: MemorySagaStore) -> None:
        super().__init__()
        self.sagas = inner.sagas

    async def save(self, changes: Sequence[Change]) -> set[str]:
        await super().save(changes)
        raise Unavailable("the answer was lost")


async def test_after_a_write_of_unknown_outcome_the_redelivered_reply_announces_what_was_saved(world: World) -> None:
    await world.start("a")
    reply = success(world.state("a"))
    store, world.engine.store = world.engine.store, _Failing(world.store)
    with pytest.raises(Unavailable):
        await world.engine.apply([Input("a", reply)])
    world.engine.store = store
    await world.engine.apply([Input("a", reply, redelivered=True)])
    assert world.sent(PAYMENT) == [("a/charge-payment/action", "1")]


async def test_a_reply_is_not_settled_until_what_it_caused_is_on_its_stream(world: World) -> None:
    await world.start("a")
    world.bus.server.refused.add(PAYMENT)
    with pytest.raises(Unavailable):
        await ReplyHandler(world.engine)([_delivery(world.state("a"))])


class _Hearing(Unobserved):
    def __init__(self) -> None:
        self.events: list[tuple[str, ...]] = []

    def applied(self, done: Sequence[Applied], *, conflicts: int, unknown: int) -> None:
        self.events += [each.decision.transition.events for each in done if each.decision.transition is not None]


async def test_what_is_saved_is_told_once_also_where_it_could_not_be_announced(world: World) -> None:
    heard = _Hearing()
    engine = world.another(observer=heard)
    await world.start("a")
    reply = success(world.state("a"))
    world.bus.server.down = True
    with pytest.raises(Unavailable):
        await engine.apply([Input("a", reply)])
    world.bus.server.down = False
    await engine.apply([Input("a", reply, redelivered=True)])
    assert world.sent(PAYMENT) == [("a/charge-payment/action", "1")]
    assert heard.events == [("step-succeeded",)]


def _delivery(state: SagaState, **changes: str) -> Delivery:
    return Delivery(STREAMS.replies, "1-1", {**encode_reply(success(state).reply), **changes})


async def test_an_undecodable_reply_is_a_dead_letter_and_the_others_of_its_batch_are_applied(world: World) -> None:
    await world.start("a")
    state = world.state("a")
    verdicts = await ReplyHandler(world.engine)(
        [_delivery(state, data="{"), _delivery(state), _delivery(state, outcome="?")]
    )
    assert [type(verdict) for verdict in verdicts] == [Dead, Ack, Dead]
    assert world.state("a").pending[0].step == "charge-payment"


async def test_a_reply_to_nobody_is_acknowledged_and_changes_nothing(world: World) -> None:
    await world.start("a")
    before = world.state("a")
    verdicts = await ReplyHandler(world.engine)([_delivery(before, causationid="unknown/reserve-stock/action")])
    assert verdicts == [Ack()]
    assert world.state("a") == before


async def test_an_unknown_definition_is_left_alone_and_its_timer_moves_away(world: World) -> None:
    await world.start("a")
    changed = replace_version(order)
    engine = world.another(changed)
    before = world.state("a")
    assert await engine.apply([Input("a", success(before))]) == [None]
    assert world.state("a") == before
    world.clock.advance(10)
    assert await Sweeper(engine, world.bus, STREAMS).sweep() == 1
    assert _wake_at(world.state("a")) > world.clock.now()
    assert world.state("a").revision == before.revision


def replace_version(saga: Saga) -> Saga:
    return Saga(saga.name, version=2, input=saga.input, data=saga.data, steps=saga.nodes)


def _wake_at(state: SagaState) -> datetime:
    assert state.wake_at is not None
    return state.wake_at


async def test_who_waits_for_a_saga_is_told_its_end_at_once(world: World) -> None:
    await world.start("a")
    waiting = asyncio.create_task(world.engine.waiters.wait("a", 60))
    await asyncio.wait([waiting], timeout=0)
    for _ in order.steps:
        await world.engine.apply([Input("a", success(world.state("a")))])
    ended = await waiting
    assert ended is not None
    assert ended.status is Status.COMPLETED
