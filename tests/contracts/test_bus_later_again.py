"""An entry that comes again, and whose verdict is not known at once: beside the others, unless it is a suspect."""

from adapters.bus import Ack, Subscription
from adapters.errors import Unavailable
from support.asking import Asked
from support.bus_fixtures import MakeBus, reading, settled, stream, world
from support.buses import Recorder, RedisWorld, World, numbered, time_enough
from support.waiting import eventually, quiet

__all__ = ["reading", "stream", "world"]  # fixtures


async def test_what_comes_again_is_waited_for_beside_the_others(world: World, stream: str, reading: MakeBus) -> None:
    handler = Asked()
    bus = await reading(handler)
    await handler.about(bus, stream, 1, 2, 3)
    for name in ("1", "2", "3"):
        handler.open.pop(name).set_exception(Unavailable("away"))

    await eventually(lambda: len(handler.open) == 3)  # All three again, and none waits for the other.
    await bus.publish(numbered(stream, 10))
    await eventually(lambda: handler.times("10") == 1)

    handler.settle()
    await eventually(lambda: settled(world, stream))
    assert not any(suspect for _, suspect in handler.asked)


async def test_however_often_a_server_was_away_an_entry_is_no_suspect(
    world: World, stream: str, reading: MakeBus
) -> None:
    handler = Asked()
    bus = await reading(handler)
    await handler.about(bus, stream, 1)
    for _ in range(7):
        await handler.fails("1", Unavailable("away"))

    handler.settle()
    await eventually(lambda: settled(world, stream))
    assert not any(suspect for _, suspect in handler.asked)
    assert not await world.fields(world.streams.dead(stream))


async def test_a_suspect_is_waited_for_alone(world: World, stream: str, reading: MakeBus) -> None:
    handler, meanwhile, other = Asked(), Recorder(), world.streams.commands("payment")
    bus = await reading(handler)
    bus.subscribe(Subscription(other, "payment", meanwhile))
    await handler.about(bus, stream, 1)
    await handler.fails("1", RuntimeError("a bug"))
    await handler.fails("1", RuntimeError("a bug"))
    assert handler.asked == [("1", False), ("1", False), ("1", True)]

    await bus.publish(numbered(stream, 10))
    if isinstance(world, RedisWorld):  # In memory all subscriptions are one task's.
        await time_enough(bus, other, meanwhile)
    else:
        await quiet()
    assert handler.times("10") == 0

    handler.settle()
    await eventually(lambda: handler.times("10") == 1)
    await eventually(lambda: settled(world, stream))


async def test_what_never_comes_to_anything_is_a_dead_letter(world: World, stream: str, reading: MakeBus) -> None:
    handler = Asked()
    bus = await reading(handler)
    await handler.about(bus, stream, 1)
    for _ in range(5):
        await handler.fails("1", RuntimeError("a bug"))
    handler.open.pop("1").set_exception(RuntimeError("a bug"))

    await eventually(lambda: settled(world, stream))
    (letter,) = await world.fields(world.streams.dead(stream))
    assert letter["n"] == "1"


async def test_what_a_new_group_delivers_once_more_while_it_is_waited_for_is_no_suspect(
    world: World, stream: str, reading: MakeBus
) -> None:
    handler = Asked()
    bus = await reading(handler)
    await handler.about(bus, stream, 1)
    first = handler.open["1"]
    await world.destroy_group(stream, "inventory")
    await bus.publish(numbered(stream, 10))
    await eventually(lambda: handler.times("1") == 2)
    await eventually(handler.open["1"].cancelled)

    first.set_result(Ack())
    await eventually(lambda: settled(world, stream))
    assert handler.asked == [("1", False), ("1", False), ("10", False)]
