"""The timers on in-memory twins: what is sent again, what counts, and what does not."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from adapters.bus import Delivery, Entry, Subscription, Verdict
from adapters.errors import Unavailable
from adapters.memory_bus import MemoryBus
from adapters.streams.envelope import encode_reply
from adapters.streams.names import ORCHESTRATOR_GROUP, Streams
from orchestrator.memory_store import MemorySagaStore
from orchestrator.sweeper import BEHIND_S, Sweeper
from orchestrator.work import Input
from support import eventually
from support.clock import HeldClock, ManualClock
from support.engines import INVENTORY, PAYMENT, STREAMS, World
from support.orders import failure, success
from support.replicas import One


@pytest.fixture
def world() -> World:
    return World()


async def never(_: Sequence[Delivery]) -> Sequence[Verdict]:
    """A handler that does not come to an end."""
    await asyncio.Event().wait()
    raise AssertionError


async def test_silence_counts_only_for_an_engine_that_listened_all_the_while(world: World) -> None:
    await world.start("a")
    world.deliver_all(INVENTORY, "inventory")
    world.clock.advance(31)
    world.engine.announcer.interrupted()
    await world.sweeper.sweep()
    assert world.state("a").pending[0].attempt == 1
    assert len(world.sent(INVENTORY)) == 2
    world.deliver_all(INVENTORY, "inventory")
    world.clock.advance(31)
    await world.sweeper.sweep()
    assert world.state("a").pending[0].attempt == 2


async def test_an_outage_of_the_bus_counts_nothing(world: World) -> None:
    await world.start("a")
    world.bus.server.down = True
    world.clock.advance(60)
    with pytest.raises(Unavailable):
        await world.sweeper.sweep()
    world.bus.server.down = False
    await world.sweeper.sweep()
    assert world.state("a").pending[0].attempt == 1
    assert world.sent(INVENTORY)[-1] == ("a/reserve-stock/action", "1")


async def test_a_command_still_in_its_stream_is_neither_sent_again_nor_counted(world: World) -> None:
    await world.start("a")
    for _ in range(5):
        world.clock.advance(31)
        await world.sweeper.sweep()
    assert world.sent(INVENTORY) == [("a/reserve-stock/action", "1")]
    assert world.state("a").pending[0].attempt == 1


async def test_a_reply_that_waits_in_our_own_stream_is_no_silence(world: World) -> None:
    await world.start("a")
    world.deliver_all(INVENTORY, "inventory")
    world.clock.advance(29)
    await world.bus.publish([Entry(STREAMS.replies, encode_reply(success(world.state("a")).reply))])
    world.clock.advance(2)
    await world.sweeper.sweep()
    pending = world.state("a").pending[0]
    assert pending.attempt == 1
    assert world.clock.now() < pending.deadline <= world.clock.now() + timedelta(seconds=3), "soon looked at again"


@pytest.mark.parametrize(("in_hand_s", "attempt"), [(10, 1), (40, 2)])
async def test_a_reply_in_the_hands_of_somebody_who_died_is_no_silence_for_a_while(
    world: World, in_hand_s: int, attempt: int
) -> None:
    await world.start("a")
    world.deliver_all(INVENTORY, "inventory")
    another = MemoryBus(world.clock, world.bus.server)
    another.subscribe(Subscription(STREAMS.replies, ORCHESTRATOR_GROUP, never))
    world.clock.advance(31 - in_hand_s if in_hand_s < 31 else 0)
    await world.bus.publish([Entry(STREAMS.replies, encode_reply(success(world.state("a")).reply))])
    reading = asyncio.create_task(another.run_until_idle())
    await eventually(lambda: world.bus.server.groups[STREAMS.replies, ORCHESTRATOR_GROUP].delivered == 1)
    another.kill()
    world.clock.advance(in_hand_s)
    await world.sweeper.sweep()
    assert world.state("a").pending[0].attempt == attempt
    reading.cancel()


async def test_a_retry_is_held_back_until_its_time_and_then_sent(world: World) -> None:
    await world.start("a")
    await world.engine.apply([Input("a", failure(world.state("a")))])
    assert world.sent(INVENTORY) == [("a/reserve-stock/action", "1")]
    world.deliver_all(INVENTORY, "inventory")
    world.clock.time = world.state("a").pending[0].sent_at
    await world.sweeper.sweep()
    assert world.sent(INVENTORY)[-1] == ("a/reserve-stock/action", "2")


async def test_a_lost_command_is_sent_again_also_while_replies_keep_coming(world: World) -> None:
    await world.start("a")
    world.deliver_all(INVENTORY, "inventory")
    world.clock.advance(3)
    await world.bus.publish([Entry(STREAMS.replies, {"causationid": "other/reserve-stock/action"})])
    await world.sweeper.sweep()
    assert world.sent(INVENTORY) == [("a/reserve-stock/action", "1")] * 2


async def test_nothing_is_sent_again_while_our_own_replies_wait_for_long(world: World) -> None:
    await world.start("a")
    world.deliver_all(INVENTORY, "inventory")
    await world.bus.publish([Entry(STREAMS.replies, {"causationid": "other/reserve-stock/action"})])
    world.clock.advance(8)
    await world.sweeper.sweep()
    assert world.sent(INVENTORY) == [("a/reserve-stock/action", "1")]


@pytest.mark.parametrize(("behind", "pause_s"), [(True, BEHIND_S), (False, 0.25)])
async def test_who_is_behind_with_replies_handles_those_and_rests_from_timers(behind: bool, pause_s: float) -> None:
    clock = HeldClock()
    world = World(clock=clock)
    await world.start("a", "b")
    world.deliver_all(INVENTORY, "inventory")
    if behind:
        await world.bus.publish([Entry(STREAMS.replies, {"causationid": "other/reserve-stock/action"})])
    clock.advance(8)
    sweeping = asyncio.create_task(Sweeper(world.engine, world.bus, STREAMS, batch=1).run())
    await eventually(lambda: clock.sleeping == [pause_s])
    overdue = [state.id for state in world.store.sagas.values() if state.wake_at and state.wake_at <= clock.now()]
    assert len(overdue) == (1 if behind else 0), "one batch, then a rest; or all of them"
    sweeping.cancel()


async def test_a_held_attempt_is_sent_before_it_can_count_however_late_the_timer_is(world: World) -> None:
    await world.start("a", "b")
    await world.engine.apply([Input("a", failure(world.state("a")))])
    world.clock.advance(120)  # And the stream is not delivered: b's command still waits in it.
    await world.sweeper.sweep()
    assert world.sent(INVENTORY)[-1] == ("a/reserve-stock/action", "2")
    pending = world.state("a").pending[0]
    assert (pending.attempt, pending.held) == (2, False)
    assert pending.deadline > world.clock.now()
    await world.sweeper.sweep()
    assert len(world.sent(INVENTORY)) == 3, "sent once"


async def test_a_saga_that_no_rule_fits_stops_no_others_timer(world: World) -> None:
    await world.start("a", "b")
    broken = replace(world.state("a").pending[0], step="no-such-step")
    world.store.sagas["a"] = replace(world.state("a"), pending=(broken,))
    world.deliver_all(INVENTORY, "inventory")
    world.clock.advance(3)
    await world.sweeper.sweep()
    assert world.sent(INVENTORY)[2:] == [("b/reserve-stock/action", "1")]
    wake_at = world.state("a").wake_at
    assert wake_at is not None
    assert wake_at > world.clock.now()


async def test_a_stream_that_refuses_delays_only_its_own_sagas_and_counts_nothing(world: World) -> None:
    await world.start("a", "b")
    await world.engine.apply([Input("b", success(world.state("b")))])
    world.bus.server.refused.add(PAYMENT)
    for _ in range(60):
        world.deliver_all(INVENTORY, "inventory")
        world.deliver_all(PAYMENT, "payment")
        await world.sweeper.sweep()
        world.clock.advance(0.25)
    assert len(world.sent(INVENTORY)) == 2 + 2, "sent again after 3 and 9 s, not at each sweep"
    world.clock.advance(60)
    await world.sweeper.sweep()
    assert world.state("b").pending[0].attempt == 1


async def test_silence_that_ends_with_a_stream_that_could_not_be_asked_is_none(world: World) -> None:
    await world.start("a")
    for _ in range(25):
        world.clock.advance(1)
        world.deliver_all(INVENTORY, "inventory")
        await world.sweeper.sweep()
    await world.start("b")
    await world.engine.apply([Input("b", success(world.state("b")))])
    world.bus.server.refused.add(INVENTORY)
    await world.start("c")
    world.deliver_all(PAYMENT, "payment")
    world.clock.advance(3)
    await world.sweeper.sweep()
    world.bus.server.refused.clear()
    world.clock.advance(10)
    await world.sweeper.sweep()
    assert world.state("a").pending[0].attempt == 1
    assert world.state("b").pending[0].attempt == 2, "its stream was there all the while"


async def test_the_timers_of_a_partition_that_is_away_are_held_and_all_others_go_on() -> None:
    clock, streams, store = ManualClock(), Streams(partitions=2), MemorySagaStore()
    bus = MemoryBus(clock)
    one = One(clock, bus, store, streams, reply_streams=0)
    await one.start(*"abcdefgh")
    (here, there), replies = streams.all_of(INVENTORY), streams.all_of(streams.replies)
    first, second = (len(bus.server.entries(stream)) for stream in (here, there))
    assert first
    assert second
    for stream in (here, there):
        bus.server.groups[stream, "inventory"].delivered = 100
    bus.server.refused |= {there, replies[1]}
    for _ in range(60):
        clock.advance(1)
        await one.sweeper.sweep()
    assert len(bus.server.entries(here)) > 3 * first
    assert len(bus.server.entries(there)) == second
    assert max(state.pending[0].attempt for state in store.sagas.values()) > 1
    held = [state for state in store.sagas.values() if streams.partition(INVENTORY, state.id) == there]
    assert all(state.wake_at and state.wake_at > clock.now() for state in held), "who is held stands before nobody"
    bus.server.refused.clear()
    clock.advance(3)
    await one.sweeper.sweep()
    assert len(bus.server.entries(there)) == 2 * second
    assert {store.sagas[state.id].pending[0].attempt for state in held} == {1}


async def test_replies_that_wait_in_another_partition_say_nothing_of_a_silence() -> None:
    clock, streams, store = ManualClock(), Streams(partitions=2), MemorySagaStore()
    bus = MemoryBus(clock)
    one = One(clock, bus, store, streams, reply_streams=0)
    await one.start("a")
    bus.server.groups[streams.partition(INVENTORY, "a"), "inventory"].delivered = 100
    (other,) = set(streams.all_of(streams.replies)) - {streams.partition(streams.replies, "a")}
    clock.advance(29)
    await bus.publish([Entry(other, {"causationid": "other/reserve-stock/action"})])
    clock.advance(2)
    await one.sweeper.sweep()
    assert store.sagas["a"].pending[0].attempt == 2


async def test_commands_in_a_stream_that_has_lost_its_group_still_wait_there(world: World) -> None:
    await world.start("a")
    del world.bus.server.groups[(INVENTORY, "inventory")]
    for _ in range(10):
        world.clock.advance(31)
        await world.sweeper.sweep()
    assert world.state("a").pending[0].attempt == 1
