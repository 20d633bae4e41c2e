"""The timers on in-memory twins: what is sent again, what counts, and what does not."""

import pytest

from adapters.bus import Entry
from adapters.errors import Unavailable
from adapters.streams.envelope import encode_reply
from orchestrator.engine import Input
from orchestrator.sweeper import Sweeper
from support.engines import INVENTORY, PAYMENT, STREAMS, World
from support.orders import failure, success


@pytest.fixture
def world() -> World:
    return World()


async def test_silence_counts_only_for_an_engine_that_listened_all_the_while(world: World) -> None:
    await world.start("a")
    world.deliver_all(INVENTORY, "inventory")
    world.clock.advance(31)
    late = Sweeper(world.engine, world.bus, STREAMS)
    await late.sweep()
    assert world.state("a").pending[0].attempt == 1
    world.deliver_all(INVENTORY, "inventory")
    world.clock.advance(31)
    await late.sweep()
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
    world.clock.advance(5)
    await world.sweeper.sweep()
    assert world.state("a").pending[0].attempt == 1


async def test_everything_in_flight_is_sent_again_when_replies_were_lost(world: World) -> None:
    await world.start("a", "b", "c")
    await world.engine.apply([Input("c", success(world.state("c")))])
    assert await world.engine.resend(None, page=2) == 3
    assert len(world.sent(INVENTORY)) == 3 + 2
    assert len(world.sent(PAYMENT)) == 1 + 1
    assert await world.engine.resend("payment") == 1


async def test_a_retry_is_held_back_until_its_time_and_then_sent(world: World) -> None:
    await world.start("a")
    await world.engine.apply([Input("a", failure(world.state("a")))])
    assert world.sent(INVENTORY) == [("a/reserve-stock/action", "1")]
    world.deliver_all(INVENTORY, "inventory")
    world.clock.time = world.state("a").pending[0].sent_at
    await world.sweeper.sweep()
    assert world.sent(INVENTORY)[-1] == ("a/reserve-stock/action", "2")
