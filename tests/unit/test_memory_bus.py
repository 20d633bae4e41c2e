"""What only the bus in memory can do: be stepped, be down, be killed."""

import asyncio
from collections.abc import Sequence

from adapters.bus import Ack, Delivery, Later, Leave, Subscription, Verdict
from adapters.clock import SystemClock
from adapters.errors import Unavailable
from adapters.memory_bus import MemoryBus
from adapters.memory_server import MemoryServer
from adapters.streams.names import Streams
from support.asking import Asked
from support.buses import Recorder, numbered
from support.waiting import eventually, quiet

STREAM = Streams().commands("p")


def bus_of(server: MemoryServer, handler: Recorder) -> MemoryBus:
    bus = MemoryBus(SystemClock(), server)
    bus.subscribe(Subscription(STREAM, "p", handler))
    return bus


async def test_nothing_is_delivered_until_the_bus_is_stepped() -> None:
    handler = Recorder()
    bus = bus_of(MemoryServer(SystemClock()), handler)
    await bus.publish(numbered(STREAM, 1))
    assert handler.calls == []
    assert await bus.deliver()
    assert handler.names == ["1"]
    assert not await bus.deliver()


async def test_run_until_idle_ends_with_every_entry_settled_or_dead() -> None:
    handler = Recorder(lambda d: Leave("never") if d.fields["n"] == "1" else Ack())
    bus = bus_of(MemoryServer(SystemClock()), handler)
    await bus.publish(numbered(STREAM, 1, 2))
    await bus.run_until_idle()
    assert [letter["n"] for letter in bus.server.entries(f"{STREAM}.dead")] == ["1"]
    assert not bus.server.groups[STREAM, "p"].pending


async def test_run_until_idle_does_not_wait_for_a_server_that_is_away() -> None:
    def away(_: Delivery) -> Verdict:
        raise Unavailable("MongoDB is away")

    handler = Recorder(away)
    bus = bus_of(MemoryServer(SystemClock()), handler)
    await bus.publish(numbered(STREAM, 1))
    await bus.run_until_idle()
    handler.answer = lambda _: Ack()
    await bus.run_until_idle()
    assert not bus.server.groups[STREAM, "p"].pending


async def test_run_until_idle_does_not_wait_for_one_that_is_away_later_either() -> None:
    handler = Asked()
    bus = MemoryBus(SystemClock())
    bus.subscribe(Subscription(STREAM, "p", handler))
    await bus.publish(numbered(STREAM, 1))
    for _ in range(3):
        idle = asyncio.create_task(bus.run_until_idle())
        before = handler.times("1")
        while not idle.done():
            await quiet()
            if handler.open:
                handler.open.pop("1").set_exception(Unavailable("away"))
        assert handler.times("1") - before <= 2

    idle = asyncio.create_task(bus.run_until_idle())
    await eventually(lambda: bool(handler.open))
    handler.settle()
    await idle
    assert not bus.server.groups[STREAM, "p"].pending


async def test_a_server_that_is_down_takes_and_gives_nothing() -> None:
    handler = Recorder()
    bus = bus_of(MemoryServer(SystemClock()), handler)
    await bus.publish(numbered(STREAM, 1))
    bus.server.down = True
    (result,) = await bus.publish(numbered(STREAM, 2))
    assert isinstance(result, Unavailable)
    assert not await bus.deliver()
    assert await bus.problems() == ["the server is down"]
    bus.server.down = False
    await bus.run_until_idle()
    assert handler.names == ["1"]


async def test_what_a_killed_bus_had_in_hand_goes_to_another_alone() -> None:
    server = MemoryServer(SystemClock())
    stuck = asyncio.Event()

    async def hang(_: Sequence[Delivery]) -> Sequence[Verdict]:
        stuck.set()
        await asyncio.Event().wait()
        raise AssertionError("unreachable")

    victim = MemoryBus(SystemClock(), server)
    victim.subscribe(Subscription(STREAM, "p", hang))
    await victim.publish(numbered(STREAM, 1, 2))
    await victim.start()
    await stuck.wait()
    handler = Recorder()
    survivor = bus_of(server, handler)
    await survivor.run_until_idle()
    assert handler.names == []
    victim.kill()
    await survivor.run_until_idle()
    assert [[(d.fields["n"], d.redelivered) for d in call] for call in handler.calls] == [[("1", True)], [("2", True)]]


async def test_what_another_has_of_a_killed_bus_stays_its_own_when_the_dead_ones_calls_end() -> None:
    server, ending = MemoryServer(SystemClock()), asyncio.Event()

    async def lingers() -> Verdict:
        try:
            await asyncio.Event().wait()
        finally:
            await ending.wait()
        raise AssertionError("unreachable")

    async def slow(_: Sequence[Delivery]) -> Sequence[Later]:
        return [Later(asyncio.create_task(lingers()))]

    victim, survivor, handler = MemoryBus(SystemClock(), server), MemoryBus(SystemClock(), server), Asked()
    victim.subscribe(Subscription(STREAM, "p", slow))
    survivor.subscribe(Subscription(STREAM, "p", handler))
    await victim.publish(numbered(STREAM, 1))
    await victim.deliver()
    await quiet()
    victim.kill()
    await survivor.deliver()
    assert handler.asked == [("1", False)]

    ending.set()
    await quiet()
    await survivor.deliver()
    assert handler.asked == [("1", False)]
    handler.settle()
    await survivor.run_until_idle()
    assert not server.groups[STREAM, "p"].pending
