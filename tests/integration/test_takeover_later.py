"""Entries that are taken over and have their verdicts later: how many at once, whose they are, and what counts."""

import asyncio
from dataclasses import replace

from adapters.bus import Subscription
from adapters.streams.redis_bus import RedisBus
from support.asking import Asked, Stays
from support.buses import FAST, Recorder, RedisWorld, numbered, time_enough
from support.redis_worlds import MakeWorld, abandon, make_world, reading, settled, world
from support.waiting import eventually

__all__ = ["make_world", "world"]  # fixtures


async def idle_for_long(world: RedisWorld, bus: RedisBus, times: float) -> None:
    """So much longer than an entry may be idle; whatever `bus` has is its own all the while."""
    begun, long_s = asyncio.get_running_loop().time(), world.settings.idle_takeover_s * times

    async def over() -> bool:
        rows = await world.client.xpending_range(world.streams.commands("p"), "p", min="-", max="+", count=1)
        assert rows[0]["consumer"] == bus.consumer
        return asyncio.get_running_loop().time() - begun > long_s

    await eventually(over)


async def test_an_entry_that_is_waited_for_is_never_idle(make_world: MakeWorld) -> None:
    world = make_world(replace(FAST, idle_takeover_s=0.5))
    handler, others = Asked(), Recorder()
    bus = await reading(world, handler)
    await handler.about(bus, world.streams.commands("p"), 1)
    await reading(world, others)
    await idle_for_long(world, bus, 3)
    assert others.names == []
    handler.settle()
    await eventually(lambda: settled(world))


async def test_nor_is_it_while_a_suspect_is_waited_for(make_world: MakeWorld) -> None:
    world = make_world(replace(FAST, idle_takeover_s=0.5))
    handler, others = Asked(), Recorder()
    bus = await reading(world, handler)
    await handler.about(bus, world.streams.commands("p"), 1, 2)
    await handler.fails("2", RuntimeError("a bug"))
    await handler.fails("2", RuntimeError("a bug"))
    assert handler.asked[-1] == ("2", True)
    await reading(world, others)
    await idle_for_long(world, bus, 3)
    assert "1" not in others.names
    handler.settle()
    await eventually(lambda: settled(world))


async def test_what_has_been_taken_from_a_paused_process_is_not_taken_back(make_world: MakeWorld) -> None:
    world = make_world(replace(FAST, idle_takeover_s=0.5))
    stream, handler = world.streams.commands("p"), Asked()
    bus = await reading(world, handler)
    await handler.about(bus, stream, 1)
    ((entry_id, _),) = await world.client.xrange(stream)
    await world.client.xclaim(stream, "p", "another", 0, [entry_id])

    async def would_have_been_kept() -> bool:
        (row,) = await world.client.xpending_range(stream, "p", min="-", max="+", count=1)
        assert row["consumer"] == "another"
        return bool(row["time_since_delivered"] > 250)  # Half of what it may be idle: a keeper comes sooner.

    await eventually(would_have_been_kept)
    handler.settle()
    await eventually(lambda: settled(world))


async def test_who_reads_all_it_may_takes_over_all_the_same(make_world: MakeWorld) -> None:
    world = make_world(replace(FAST, max_records=3))
    stream, handler = world.streams.commands("p"), Asked()
    bus = await reading(world, handler)
    await handler.about(bus, stream, 1, 2, 3)
    await bus.publish(numbered(stream, 4, 5))
    await abandon(world, count=2)
    await eventually(lambda: len(handler.open) == 5)
    assert [suspect for _, suspect in handler.asked] == [False] * 5
    handler.settle()
    await eventually(lambda: settled(world))


async def test_no_more_is_taken_over_than_may_be_unknown(make_world: MakeWorld) -> None:
    world = make_world(replace(FAST, max_records=3, takeover_slice=2))
    handler = Asked()
    await world.bus().publish(numbered(world.streams.commands("p"), *range(10)))
    await abandon(world, count=10)
    await few_at_once(world, handler, await reading(world, handler))


async def test_nor_of_what_comes_again_because_a_server_was_away(make_world: MakeWorld) -> None:
    world = make_world(replace(FAST, max_records=3, takeover_slice=2))
    handler = Asked()
    handler.away = True
    bus = await reading(world, handler)
    await bus.publish(numbered(world.streams.commands("p"), *range(10)))
    await eventually(lambda: {name for name, _ in handler.asked} == {str(n) for n in range(10)})
    handler.away = False
    await few_at_once(world, handler, bus)


async def few_at_once(world: RedisWorld, handler: Asked, bus: RedisBus) -> None:
    """As many as may be unknown come again, and the rest of a slice or batch. Then the others, as these end."""
    other, meanwhile = world.streams.commands("q"), Recorder()
    bus.subscribe(Subscription(other, "q", meanwhile))
    await eventually(lambda: len(handler.open) >= 3)
    await time_enough(bus, other, meanwhile)
    assert 3 <= len(handler.open) <= 5

    async def go_on() -> bool:
        assert len(handler.open) <= 5
        handler.settle()
        return await settled(world)

    await eventually(go_on)


async def test_what_is_given_up_when_a_process_is_stopped_does_not_count(make_world: MakeWorld) -> None:
    world = make_world(replace(FAST, drain_timeout_s=0.1))
    stream = world.streams.commands("p")
    await world.bus().publish(numbered(stream, 1, 2))
    await abandon(world, count=2)
    for _ in range(3):  # Counted, it would be a suspect the second time.
        handler = Asked()
        bus = await reading(world, handler)
        await eventually(lambda: len(handler.open) == 2)  # noqa: B023 - it is waited for at once
        assert not any(suspect for _, suspect in handler.asked)
        await bus.stop()
    assert await world.pending(stream, "p") == 2


async def test_nor_does_what_is_given_up_in_the_middle_of_its_handler(make_world: MakeWorld) -> None:
    world = make_world(replace(FAST, drain_timeout_s=0.1))
    stream = world.streams.commands("p")
    await world.bus().publish(numbered(stream, 1))
    await abandon(world, count=1)
    for _ in range(3):
        handler = Stays()
        bus = await reading(world, handler)
        await eventually(lambda: bool(handler.given))  # noqa: B023 - it is waited for at once
        assert not handler.given[0].suspect
        await bus.stop()
    assert await world.pending(stream, "p") == 1
