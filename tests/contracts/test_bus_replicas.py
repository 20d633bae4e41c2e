"""What every bus promises to several processes that share streams out among themselves."""

import asyncio
from collections.abc import Sequence

from adapters.bus import Ack, Delivery, Leave, Subscription, Verdict
from support.bus_fixtures import MakeBus, reading, settled, stream, world
from support.buses import Recorder, World, numbered
from support.waiting import eventually

__all__ = ["reading", "stream", "world"]  # fixtures


def names(world: World) -> list[str]:
    return [world.streams.replica(slot) for slot in range(3)]


async def test_a_lease_is_held_by_whoever_asked_first(world: World) -> None:
    one, two = world.bus(), world.bus()
    first, second, third = names(world)
    assert await one.lease([], [first, second]) == {}
    assert await one.lease([first], [first, second]) == {first: one.consumer}
    assert await two.lease([first, second], [first, second, third]) == {first: one.consumer, second: two.consumer}
    assert await one.lease([first], [first]) == {first: one.consumer}


async def test_a_lease_that_is_not_renewed_ends(world: World) -> None:
    one, two = world.bus(), world.bus()
    (name, *_) = names(world)
    await one.lease([name], [name])

    async def taken() -> bool:
        return (await two.lease([name], [name])).get(name) == two.consumer

    await eventually(taken)
    assert await one.lease([name], [name]) == {name: two.consumer}


async def test_only_its_holder_can_release_a_lease(world: World) -> None:
    one, two = world.bus(), world.bus()
    first, second, _ = names(world)
    await one.lease([first, second], [])
    await one.lease([first, second], [first])
    await two.release([first, second])
    assert len(await two.lease([], [first, second])) == 2
    await one.release([first])
    assert await two.lease([first], [first, second]) == {first: two.consumer, second: one.consumer}


async def test_a_wiped_server_has_no_leases_left(world: World) -> None:
    one, two = world.bus(), world.bus()
    (name, *_) = names(world)
    await one.lease([name], [name])
    await world.flush()
    assert await two.lease([name], [name]) == {name: two.consumer}


async def test_a_stream_is_settled_once_all_of_it_is_acknowledged(world: World, stream: str, reading: MakeBus) -> None:
    bus = world.bus()
    groups = {stream: "inventory", f"{world.streams.prefix}nowhere": "nobody"}
    assert set(await bus.unsettled(groups)) == set()
    await bus.publish(numbered(stream, 1, 2))
    assert set(await bus.unsettled(groups)) == {stream}, "unread"
    done = asyncio.Event()

    def once_done(delivery: Delivery) -> Verdict:
        return Ack() if delivery.fields["n"] == "1" or done.is_set() else Leave("not yet")

    handler = Recorder(once_done)
    await reading(handler)
    await eventually(lambda: "2" in handler.names)
    assert set(await bus.unsettled(groups)) == {stream}, "unacknowledged"
    done.set()
    await eventually(lambda: settled(world, stream))
    assert set(await bus.unsettled(groups)) == set()


async def test_a_bus_at_work_begins_to_read_one_more_stream(world: World, stream: str, reading: MakeBus) -> None:
    bus = await reading(Recorder())
    other, handler = world.streams.replies_of(0), Recorder()
    await bus.publish(numbered(other, 1))
    bus.subscribe(Subscription(other, "orchestrator", handler))
    assert not any(other in problem for problem in await bus.problems()), "it is no problem that this takes a moment"
    await eventually(lambda: handler.names == ["1"])


async def test_what_is_no_longer_read_here_is_read_by_others_with_what_was_left(
    world: World, stream: str, reading: MakeBus
) -> None:
    leaving, other = Recorder(lambda d: Leave("no") if d.fields["n"] == "1" else Ack()), Recorder()
    bus = await reading(leaving)
    await bus.publish(numbered(stream, 1, 2))
    await eventually(lambda: set(leaving.names) == {"1", "2"})
    await bus.unsubscribe(stream)
    await bus.publish(numbered(stream, 3))
    await reading(other)
    await eventually(lambda: sorted(other.names) == ["1", "3"])
    assert "3" not in leaving.names


async def test_a_stream_that_was_given_up_can_be_read_again(world: World, stream: str, reading: MakeBus) -> None:
    bus = await reading(Recorder())
    await bus.unsubscribe(stream)
    handler = Recorder()
    await bus.publish(numbered(stream, 1))
    bus.subscribe(Subscription(stream, "inventory", handler))
    await eventually(lambda: handler.names == ["1"])
    await bus.publish(numbered(stream, 2))
    await eventually(lambda: handler.names == ["1", "2"])


async def test_giving_a_stream_up_acknowledges_the_batch_in_hand(world: World, stream: str) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slow(deliveries: Sequence[Delivery]) -> Sequence[Verdict]:
        begun.set()
        await go_on.wait()
        return [Ack()] * len(deliveries)

    bus = world.bus()
    bus.subscribe(Subscription(stream, "inventory", slow))
    await bus.start()
    await bus.publish(numbered(stream, 1))
    await begun.wait()
    leaving = asyncio.create_task(bus.unsubscribe(stream))
    go_on.set()
    await leaving
    await eventually(lambda: settled(world, stream))
