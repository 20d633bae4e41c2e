"""What is sent again has a limit: after an outage everything is due at once."""

import pytest

from orchestrator.announcer import Announcer
from orchestrator.engine import Engine
from orchestrator.pace import Pace
from orchestrator.sweeper import Sweeper
from sagas import Definitions
from sagas.order import order
from support.clock import ManualClock
from support.engines import INVENTORY, STREAMS, World


@pytest.fixture
def world() -> World:
    return World()


def paced(world: World, per_s: int) -> Engine:
    announcer = Announcer(world.bus, STREAMS, world.clock, resend_rate=per_s)
    return Engine(Definitions([order]), world.store, announcer, world.clock)


def test_a_second_s_worth_may_be_sent_at_once_and_no_more_than_that_later() -> None:
    clock = ManualClock()
    pace = Pace(clock, 10)
    assert pace.room == 10
    pace.spend(10)
    assert pace.room == 0
    clock.advance(0.5)
    assert pace.room == 5
    clock.advance(60)
    assert pace.room == 10, "what was not sent is not saved up"


async def test_timers_send_no_more_in_a_second_than_they_may(world: World) -> None:
    await world.start(*(f"s-{number}" for number in range(20)))
    world.deliver_all(INVENTORY, "inventory")
    world.clock.advance(3)
    sweeper = Sweeper(paced(world, 5), world.bus, STREAMS)
    assert [await sweeper.sweep() for _ in range(3)] == [5, 0, 0]
    world.deliver_all(INVENTORY, "inventory")
    world.clock.advance(1)
    assert await sweeper.sweep() == 5
    assert len(world.sent(INVENTORY)) == 20 + 10


async def test_after_a_wiped_bus_it_is_waited_for_between_the_pages(world: World) -> None:
    await world.start(*(f"s-{number}" for number in range(20)))
    begun = world.clock.now()
    assert await paced(world, 5).resend(page=5) == 20
    assert 2 <= (world.clock.now() - begun).total_seconds() <= 4
    assert len(world.sent(INVENTORY)) == 40
