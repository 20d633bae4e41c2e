"""An entry that comes again, and whose verdict is not known at once: beside the others, unless it is a suspect."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from uuid import uuid4

from adapters.bus import Ack, Bus, Delivery, Later, Subscription, Verdict
from adapters.errors import Unavailable
from support.bus_fixtures import MakeBus, reading, settled, stream, world
from support.buses import FAST, Recorder, RedisWorld, World, numbered
from support.waiting import eventually, quiet

__all__ = ["reading", "stream", "world"]  # fixtures


class Asked:
    """Knows what becomes of entries whose number is below ten only when it is told, each time anew."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, bool]] = []  #: names and whether they were suspects
        self.open: dict[str, asyncio.Future[Verdict]] = {}

    async def __call__(self, deliveries: Sequence[Delivery]) -> Sequence[Verdict | Later]:
        return [self._one(delivery) for delivery in deliveries]

    def _one(self, delivery: Delivery) -> Verdict | Later:
        name = delivery.fields["n"]
        self.asked.append((name, delivery.suspect))
        if int(name) >= 10:
            return Ack()
        self.open[name] = asyncio.get_running_loop().create_future()
        return Later(self.open[name])

    def times(self, name: str) -> int:
        return sum(asked == name for asked, _ in self.asked)

    async def fails(self, name: str, error: Exception) -> None:
        """This time nothing comes of it; until it is asked about again."""
        before = self.times(name)
        self.open.pop(name).set_exception(error)
        await eventually(lambda: self.times(name) > before)

    def settle(self) -> None:
        for future in self.open.values():
            future.set_result(Ack())
        self.open.clear()


async def time_enough(bus: Bus, other: str, meanwhile: Recorder) -> None:
    """Twenty entries come by another stream, one after the other: whatever could be handled has been."""
    for n in range(20):
        await bus.publish(numbered(other, n))
        await eventually(lambda: len(meanwhile.names) > n)  # noqa: B023 - it is waited for at once


async def test_what_comes_again_is_waited_for_beside_the_others(world: World, stream: str, reading: MakeBus) -> None:
    handler = Asked()
    bus = await reading(handler)
    await bus.publish(numbered(stream, 1, 2, 3))
    await eventually(lambda: len(handler.open) == 3)
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
    await bus.publish(numbered(stream, 1))
    await eventually(lambda: bool(handler.open))
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
    await bus.publish(numbered(stream, 1))
    await eventually(lambda: bool(handler.open))
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
    await bus.publish(numbered(stream, 1))
    await eventually(lambda: bool(handler.open))
    for _ in range(5):
        await handler.fails("1", RuntimeError("a bug"))
    handler.open.pop("1").set_exception(RuntimeError("a bug"))

    await eventually(lambda: settled(world, stream))
    (letter,) = await world.fields(world.streams.dead(stream))
    assert letter["n"] == "1"


async def test_an_entry_that_is_waited_for_is_never_idle(redis_url: str) -> None:
    world = RedisWorld(redis_url, f"t{uuid4().hex[:8]}.", replace(FAST, idle_takeover_s=0.5))
    stream = world.streams.commands("inventory")
    handler, others = Asked(), Recorder()
    bus = world.bus()
    bus.subscribe(Subscription(stream, "inventory", handler))
    await bus.start()
    await bus.publish(numbered(stream, 1))
    await eventually(lambda: bool(handler.open))
    other = world.bus()
    other.subscribe(Subscription(stream, "inventory", others))
    await other.start()
    begun = asyncio.get_running_loop().time()

    async def long_since() -> bool:
        (entry,) = await world.client.xpending_range(stream, "inventory", min="-", max="+", count=1)
        assert entry["consumer"] == bus.consumer
        return asyncio.get_running_loop().time() - begun > 1.5  # Three times as long as an entry may be idle.

    await eventually(long_since)
    assert others.names == []
    handler.settle()
    await eventually(lambda: settled(world, stream))
    await world.aclose()


async def test_no_more_is_taken_over_than_may_be_unknown(redis_url: str) -> None:
    world = RedisWorld(redis_url, f"t{uuid4().hex[:8]}.", replace(FAST, max_records=3, takeover_slice=2))
    stream, other = world.streams.commands("inventory"), world.streams.commands("payment")
    handler, meanwhile, publisher = Asked(), Recorder(), world.bus()
    await publisher.publish(numbered(stream, *range(10)))
    await world.client.xreadgroup("inventory", "gone", {stream: ">"})
    await world.client.sadd(world.streams.known_consumers(stream, "inventory"), "gone")  # Its heart beats no more.
    bus = world.bus()
    bus.subscribe(Subscription(stream, "inventory", handler))
    bus.subscribe(Subscription(other, "payment", meanwhile))
    await bus.start()
    await eventually(lambda: len(handler.open) == 4)  # Two slices: after the first there was room.
    await time_enough(bus, other, meanwhile)
    assert len(handler.open) == 4

    while len(handler.asked) < 10:
        handler.settle()
        await eventually(lambda: handler.open or len(handler.asked) == 10)
    handler.settle()
    await eventually(lambda: settled(world, stream))
    await world.aclose()
