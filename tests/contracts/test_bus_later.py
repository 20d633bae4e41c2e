"""A verdict that is not known yet holds up nobody: the same on both buses."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from uuid import uuid4

from adapters.bus import Ack, Dead, Delivery, Entry, Later, Subscription, Verdict
from adapters.errors import Unavailable
from support.bus_fixtures import MakeBus, reading, settled, stream, world
from support.buses import FAST, Recorder, RedisWorld, World, numbered, time_enough
from support.waiting import eventually, quiet

__all__ = ["reading", "stream", "world"]  # fixtures


class Slow:
    """Knows what becomes of entries whose number is below ten only when it is told."""

    def __init__(self, world: World) -> None:
        self.known: dict[str, asyncio.Future[Verdict]] = {}
        self.names: list[str] = []
        self.alone: list[str] = []
        self.broken: set[str] = set()  #: entries that are dead letters the first time
        self._replies = world.streams.replies

    async def __call__(self, deliveries: Sequence[Delivery]) -> Sequence[Verdict | Later]:
        return [self._one(delivery) for delivery in deliveries]

    def _one(self, delivery: Delivery) -> Verdict | Later:
        name = delivery.fields["n"]
        self.names.append(name)
        if delivery.redelivered:
            self.alone.append(name)
        if name in self.broken and not delivery.redelivered:
            return Dead("broken")
        if int(name) >= 10 or delivery.redelivered:
            return self.done(name)
        self.known[name] = asyncio.get_running_loop().create_future()
        return Later(self.known[name])

    def done(self, name: str) -> Ack:
        return Ack((Entry(self._replies, {"n": name}),))


async def until_given(handler: Slow, number: int) -> None:
    await eventually(lambda: str(number) in handler.names)


async def answered(world: World) -> list[str]:
    return [fields["n"] for fields in await world.fields(world.streams.replies)]


async def test_other_entries_are_handled_and_settled_while_a_verdict_is_not_known(
    world: World, stream: str, reading: MakeBus
) -> None:
    handler = Slow(world)
    bus = await reading(handler)
    await bus.publish(numbered(stream, 1, 10))
    await eventually(lambda: handler.names == ["1", "10"])
    await bus.publish(numbered(stream, 11))

    async def others() -> bool:
        return await answered(world) == ["10", "11"]

    await eventually(others)
    assert await world.pending(stream, "inventory") == 1

    handler.known["1"].set_result(handler.done("1"))
    await eventually(lambda: settled(world, stream))
    assert await answered(world) == ["10", "11", "1"]
    assert handler.alone == []


async def test_what_raises_later_comes_again_alone(world: World, stream: str, reading: MakeBus) -> None:
    handler = Slow(world)
    bus = await reading(handler)
    await bus.publish(numbered(stream, 1, 2))
    await eventually(lambda: len(handler.known) == 2)

    handler.known["1"].set_exception(Unavailable("away"))
    handler.known["2"].set_exception(RuntimeError("a bug"))

    await eventually(lambda: settled(world, stream))
    assert sorted(handler.alone) == ["1", "2"]
    assert sorted(await answered(world)) == ["1", "2"]


async def test_a_bus_that_stops_waits_for_what_is_not_known_yet(world: World, stream: str, reading: MakeBus) -> None:
    handler = Slow(world)
    bus = await reading(handler)
    await bus.publish(numbered(stream, 1))
    await eventually(lambda: bool(handler.known))

    stopping = asyncio.create_task(bus.stop())
    handler.known["1"].set_result(handler.done("1"))
    await stopping

    assert await settled(world, stream)
    assert await answered(world) == ["1"]


async def test_an_entry_that_is_waited_for_does_not_come_again_because_others_do(world: World, stream: str) -> None:
    async def away(_: Delivery, _reason: str) -> None:
        raise Unavailable("away")

    handler, bus = Slow(world), world.bus(away)
    handler.broken = {"10"}
    bus.subscribe(Subscription(stream, "inventory", handler))
    await bus.start()
    await bus.publish(numbered(stream, 1, 10))
    await eventually(lambda: handler.alone.count("10") == 1)
    assert "1" not in handler.alone

    handler.known["1"].set_result(handler.done("1"))
    await eventually(lambda: settled(world, stream))
    assert sorted(await answered(world)) == ["1", "10"]


async def test_what_is_delivered_anew_while_it_is_waited_for_is_settled_all_the_same(
    world: World, stream: str, reading: MakeBus
) -> None:
    handler = Slow(world)
    bus = await reading(handler)
    await bus.publish(numbered(stream, 1))
    await eventually(lambda: bool(handler.known))
    (first,) = handler.known.values()

    await world.destroy_group(stream, "inventory")
    await bus.publish(numbered(stream, 10))
    await eventually(lambda: handler.names.count("1") > 1)

    first.set_result(handler.done("1"))
    await eventually(lambda: settled(world, stream))
    await bus.stop()
    assert "1" in await answered(world)


async def test_a_bus_that_stops_waits_for_what_only_begins_then(world: World, stream: str, reading: MakeBus) -> None:
    begun, known, answer = asyncio.Event(), asyncio.Event(), asyncio.get_running_loop().create_future()

    async def handler(deliveries: Sequence[Delivery]) -> Sequence[Verdict | Later]:
        begun.set()
        await known.wait()
        return [Later(answer)]

    bus = await reading(handler)
    await bus.publish(numbered(stream, 1))
    await begun.wait()
    stopping = asyncio.create_task(bus.stop())
    await quiet()
    known.set()
    for _ in range(200):  # Time enough to stop.
        await answered(world)
        await quiet()
    assert not stopping.done()
    answer.set_result(Ack((Entry(world.streams.replies, {"n": "1"}),)))
    await stopping

    assert await settled(world, stream)
    assert await answered(world) == ["1"]


async def test_no_more_is_read_than_may_be_unknown(redis_url: str) -> None:
    world = RedisWorld(redis_url, f"t{uuid4().hex[:8]}.", replace(FAST, max_records=2))
    stream, other = world.streams.commands("inventory"), world.streams.commands("payment")
    handler, meanwhile = Slow(world), Recorder()
    bus = world.bus()
    bus.subscribe(Subscription(stream, "inventory", handler))
    bus.subscribe(Subscription(other, "payment", meanwhile))
    await bus.start()
    await bus.publish(numbered(stream, *range(1, 10)))
    await time_enough(bus, other, meanwhile)
    assert handler.names == ["1", "2"]

    for n in range(1, 10):
        await until_given(handler, n)
        handler.known[str(n)].set_result(handler.done(str(n)))
    await eventually(lambda: settled(world, stream))
    await world.aclose()
