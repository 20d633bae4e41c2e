"""What happened is told at least once, also where the bus was away when it happened."""

import pytest

from adapters.errors import Unavailable
from adapters.streams.ids import parse_id
from orchestrator.core.state import SkipRequested, Status
from orchestrator.work import Input
from support.engines import INVENTORY, PAYMENT, STREAMS, World
from support.orders import rejection, success


@pytest.fixture
def world() -> World:
    return World()


def told(world: World) -> list[str]:
    """Kinds of all events, without repeats, in the order of their first sending."""
    return [*dict.fromkeys(fields["type"] for fields in world.bus.server.entries(STREAMS.events))]


async def stuck(world: World) -> None:
    await world.start("a")
    for _ in range(2):
        await world.engine.apply([Input("a", success(world.state("a")))])
    await world.engine.apply([Input("a", rejection(world.state("a")))])
    assert world.state("a").status is Status.STUCK


@pytest.mark.parametrize("streams", ["all of them", "events only"])
async def test_an_end_that_a_person_caused_is_told_once_the_bus_is_back(world: World, streams: str) -> None:
    await stuck(world)
    world.bus.server.down = streams == "all of them"
    world.bus.server.refused = {STREAMS.events}
    await world.engine.request("a", SkipRequested("by hand", {"order_id": "o-1"}))
    assert (world.state("a").status, "saga.order.completed" in told(world)) == (Status.COMPLETED, False)

    for _ in range(3):  # As long as its event is not out, the saga that has ended keeps its timer.
        world.clock.advance(10)
        with pytest.raises(Unavailable):
            await world.sweeper.sweep()
        assert world.state("a").wake_at is not None
    world.bus.server.down, world.bus.server.refused = False, set()
    world.clock.advance(10)
    await world.sweeper.sweep()
    assert told(world)[-1] == "saga.order.completed"
    assert world.state("a").wake_at is None
    world.clock.advance(3_600)
    before = len(world.sent(STREAMS.events))
    await world.sweeper.sweep()
    assert len(world.sent(STREAMS.events)) == before


async def test_an_end_whose_event_was_refused_comes_again_with_its_reply(world: World) -> None:
    await world.start("a")
    for _ in range(2):
        await world.engine.apply([Input("a", success(world.state("a")))])
    last = success(world.state("a"))
    world.bus.server.refused = {STREAMS.events}
    with pytest.raises(Unavailable):
        await world.engine.apply([Input("a", last)])
    world.bus.server.refused = set()
    await world.engine.apply([Input("a", last, redelivered=True)])
    assert told(world)[-2:] == ["saga.order.step-succeeded", "saga.order.completed"]


async def test_no_command_is_on_its_stream_before_the_events_of_its_revision(world: World) -> None:
    """Else a connection that breaks in between loses them for good: the command's reply makes the next revision."""
    await world.start("a", "b")
    await world.engine.apply([Input("a", success(world.state("a"))), Input("b", success(world.state("b")))])

    streams = world.bus.server.streams
    for stream, revision in ((INVENTORY, 1), (PAYMENT, 2)):
        for command, _ in streams[stream]:
            saga_id = command.fields["subject"]
            (event,) = [one for one, _ in streams[STREAMS.events] if one.fields["id"] == f"{saga_id}/{revision}/0"]
            assert parse_id(event.entry_id) < parse_id(command.entry_id)
