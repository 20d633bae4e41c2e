"""What every bus promises on a stream that others own: its past is not ours, nothing of its future is lost."""

import pytest

from adapters.bus import Ack, Bus, Foreign, Leave, Subscription
from support.bus_fixtures import world
from support.buses import Recorder, RememberedPlaces, World, numbered
from support.waiting import eventually

__all__ = ["world"]  # a fixture

GROUP = "saga.orchestrator"
PLENTY = 1_000_000


@pytest.fixture
def orders(world: World) -> str:
    """Not a stream of ours; under our prefix only so that the test leaves nothing behind."""
    return f"{world.streams.prefix}orders-stream"


@pytest.fixture
def places() -> RememberedPlaces:
    return RememberedPlaces()


class Room:
    """How much may be read, as a test says."""

    def __init__(self, room: int = PLENTY) -> None:
        self.room = room
        self.asked = 0

    def __call__(self) -> int:
        self.asked += 1
        return self.room


async def following(
    world: World,
    orders: str,
    handler: Recorder,
    places: RememberedPlaces,
    *,
    beginning: bool = False,
    room: Room | None = None,
) -> Bus:
    bus = world.bus()
    foreign = Foreign(beginning, places, room or Room())
    bus.subscribe(Subscription(orders, GROUP, handler, foreign=foreign))
    await bus.start()

    async def reads() -> bool:
        return orders in places.by_stream and not await bus.problems()

    await eventually(reads)
    return bus


async def is_settled(world: World, orders: str) -> bool:
    return await world.pending(orders, GROUP) == 0


async def test_reading_begins_with_what_comes_from_now_on(world: World, orders: str, places: RememberedPlaces) -> None:
    await world.bus().publish(numbered(orders, "long ago"))
    handler = Recorder()
    await following(world, orders, handler, places)
    await world.bus().publish(numbered(orders, "now"))
    await eventually(lambda: handler.names == ["now"])


async def test_or_at_the_beginning_where_that_is_wanted(world: World, orders: str, places: RememberedPlaces) -> None:
    await world.bus().publish(numbered(orders, "long ago"))
    handler = Recorder()
    await following(world, orders, handler, places, beginning=True)
    await eventually(lambda: handler.names == ["long ago"])


async def test_what_came_while_nobody_read_is_read_later(world: World, orders: str, places: RememberedPlaces) -> None:
    first, second = Recorder(), Recorder()
    bus = await following(world, orders, first, places)
    await bus.stop()
    await world.bus().publish(numbered(orders, "meanwhile"))
    await following(world, orders, second, places)
    await eventually(lambda: second.names == ["meanwhile"])


async def test_a_destroyed_group_goes_on_where_reading_once_began_at_the_latest(
    world: World, orders: str, places: RememberedPlaces
) -> None:
    await world.bus().publish(numbered(orders, "long ago"))
    handler = Recorder(lambda delivery: Leave("not now") if delivery.fields["n"] == "unsettled" else Ack())
    bus = await following(world, orders, handler, places)
    await bus.publish(numbered(orders, "settled", "unsettled"))
    await eventually(lambda: "unsettled" in handler.names)
    handler.answer = lambda _: Ack()
    await world.destroy_group(orders, GROUP)
    await bus.publish(numbered(orders, "in between"))
    await eventually(lambda: "in between" in handler.names)
    await eventually(lambda: is_settled(world, orders))
    assert handler.names.index("in between") > handler.names.index("unsettled")
    assert "long ago" not in handler.names


async def test_a_group_destroyed_while_nobody_read_is_made_again_without_a_gap(
    world: World, orders: str, places: RememberedPlaces
) -> None:
    await world.bus().publish(numbered(orders, "long ago"))
    bus = await following(world, orders, Recorder(), places)
    await bus.stop()
    await world.bus().publish(numbered(orders, "meanwhile"))
    await world.destroy_group(orders, GROUP)
    handler = Recorder()
    await following(world, orders, handler, places)
    await eventually(lambda: handler.names == ["meanwhile"])


async def test_a_wiped_stream_is_read_from_its_beginning(world: World, orders: str, places: RememberedPlaces) -> None:
    await world.bus().publish(numbered(orders, "long ago"))
    handler = Recorder()
    bus = await following(world, orders, handler, places)
    for name in ("first", "second"):
        await world.flush()
        await bus.publish(numbered(orders, name))
        await eventually(lambda: name in handler.names)  # noqa: B023 - awaited within the round
    assert handler.names == ["first", "second"]


async def test_only_so_much_is_read_as_there_is_room_for(world: World, orders: str, places: RememberedPlaces) -> None:
    room, handler = Room(3), Recorder()
    handler.answer = lambda _: taking(room)
    bus = await following(world, orders, handler, places, room=room)
    await world.bus().publish(numbered(orders, *range(10)))
    await eventually(lambda: len(handler.names) == 3)
    asked = room.asked
    await eventually(lambda: room.asked > asked + 2)
    assert handler.names == ["0", "1", "2"]
    assert not await bus.problems()
    room.room = PLENTY
    await eventually(lambda: handler.names == [str(number) for number in range(10)])


def taking(room: Room) -> Ack:
    room.room -= 1
    return Ack()


async def test_nothing_of_it_is_ever_trimmed(world: World, orders: str, places: RememberedPlaces) -> None:
    handler = Recorder()
    bus = await following(world, orders, handler, places)
    await bus.publish(numbered(orders, *range(300)))
    await eventually(lambda: len(handler.names) == 300)
    await bus.stop()
    assert len(await world.fields(orders)) == 300
