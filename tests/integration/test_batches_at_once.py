"""A handler that allows it is given a batch while it has another one, but never beside an entry that is alone."""

import asyncio
from collections.abc import Sequence

import pytest

from adapters.bus import Ack, Delivery, Entry, Subscription, Verdict
from adapters.streams.consumer import LARGE
from adapters.streams.redis_bus import RedisBus
from support.buses import Recorder, RedisWorld, numbered
from support.redis_worlds import make_world, no_problems, settled, world
from support.waiting import eventually

__all__ = ["make_world", "world"]  # fixtures

MARKS = "t.commands.marks"


class Holding:
    """A handler that holds its calls until they are let go, by size or all; told to, it fails a call of many."""

    def __init__(self, *, failing: bool = False) -> None:
        self.calls: list[int] = []
        self.inside: list[int] = []
        self.company: list[tuple[int, ...]] = []  #: who was there at the beginning of each call
        self.released = asyncio.Event()
        self.released_by_size: dict[int, asyncio.Event] = {}
        self._failing = failing

    async def __call__(self, deliveries: Sequence[Delivery]) -> Sequence[Verdict]:
        size = len(deliveries)
        self.calls.append(size)
        self.inside.append(size)
        self.company.append(tuple(self.inside))
        try:
            await self.released_by_size.get(size, self.released).wait()
        finally:
            self.inside.remove(size)
        if self._failing and size > 1:
            raise ValueError("not in company")
        return [Ack()] * size


class Watched:
    """A bus that reads commands with a handler, and a second stream which shows that it has had time to."""

    def __init__(self, world: RedisWorld, handler: Holding, at_once: int) -> None:
        self._marks = Recorder()
        self.bus: RedisBus = world.bus()
        self.stream = world.streams.commands("p")
        self.bus.subscribe(Subscription(self.stream, "p", handler, at_once=at_once))
        self.bus.subscribe(Subscription(MARKS, "p", self._marks))

    async def publish(self, count: int) -> None:
        await self.bus.publish(numbered(self.stream, *range(count)))

    async def had_time(self) -> None:
        """Whatever was published before has been offered to who reads it."""
        seen = len(self._marks.names)
        await self.bus.publish([Entry(MARKS, {"n": "mark"})])
        await eventually(lambda: len(self._marks.names) > seen)


async def watched(world: RedisWorld, handler: Holding, at_once: int = 2) -> Watched:
    made = Watched(world, handler, at_once)
    await made.bus.start()
    await eventually(lambda: no_problems(made.bus))
    return made


async def two_in_hand(reading: Watched, handler: Holding) -> None:
    await reading.publish(LARGE)
    await eventually(lambda: handler.calls == [LARGE])
    await reading.publish(LARGE + 1)
    await eventually(lambda: handler.calls == [LARGE, LARGE + 1])


async def test_a_large_batch_is_not_waited_for_and_no_more_are_begun_than_allowed(world: RedisWorld) -> None:
    handler = Holding()
    reading = await watched(world, handler)
    await two_in_hand(reading, handler)
    await reading.publish(LARGE + 2)
    await reading.had_time()
    assert handler.calls == [LARGE, LARGE + 1]

    handler.released.set()
    await eventually(lambda: handler.calls == [LARGE, LARGE + 1, LARGE + 2])
    await eventually(lambda: settled(world))


async def test_a_small_batch_is_waited_for(world: RedisWorld) -> None:
    handler = Holding()
    reading = await watched(world, handler)
    await reading.publish(LARGE - 1)
    await eventually(lambda: handler.calls == [LARGE - 1])
    await reading.publish(1)
    await reading.publish(1)
    await reading.had_time()
    assert handler.calls == [LARGE - 1]

    handler.released.set()
    await eventually(lambda: handler.calls == [LARGE - 1, 2])  # What came meanwhile came together.


async def test_a_handler_that_says_nothing_has_one_batch_at_a_time(world: RedisWorld) -> None:
    handler = Holding()
    reading = await watched(world, handler, at_once=1)
    await reading.publish(LARGE)
    await eventually(lambda: handler.calls == [LARGE])
    await reading.publish(LARGE)
    await reading.had_time()
    assert handler.calls == [LARGE]
    handler.released.set()
    await eventually(lambda: settled(world))


async def test_an_entry_that_is_tried_alone_has_no_batch_beside_it(world: RedisWorld) -> None:
    handler = Holding(failing=True)
    handler.released_by_size = {LARGE: asyncio.Event(), 1: asyncio.Event()}
    reading = await watched(world, handler)
    await two_in_hand(reading, handler)
    handler.released_by_size[LARGE].set()
    await reading.publish(LARGE + 2)
    await reading.had_time()
    assert handler.inside == [LARGE + 1], (
        "neither alone beside it, nor another batch before those that want to be alone"
    )

    handler.released.set()
    await eventually(lambda: handler.inside == [1])
    handler.released_by_size[1].set()
    await eventually(lambda: len(handler.calls) == 3 + 3 * LARGE + 3)
    await eventually(lambda: settled(world))
    assert all(company == (1,) for company in handler.company if 1 in company)


async def test_a_bus_that_stops_finishes_a_batch_that_its_reader_does_not_wait_for(world: RedisWorld) -> None:
    handler = Holding()
    reading = await watched(world, handler)
    await reading.publish(LARGE)
    await eventually(lambda: handler.calls == [LARGE])
    stopping = asyncio.create_task(reading.bus.stop())
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1):
            await asyncio.shield(stopping)
    handler.released.set()
    await stopping
    assert await settled(world)
