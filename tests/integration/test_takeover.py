"""Entries that their consumer did not settle: who takes them over, when, and which are given up."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from time import monotonic
from typing import Any

from adapters.bus import Ack, Delivery, Entry, Leave, Verdict
from adapters.streams.settings import StreamSettings
from support.buses import FAST, Recorder, RedisWorld, numbered
from support.redis_worlds import (
    MakeWorld,
    abandon,
    make_world,
    reading,
    settled,
    victim,
    world,
)
from support.waiting import eventually

__all__ = ["make_world", "world"]  # fixtures


async def test_a_killed_consumers_entries_are_handled_by_others_within_seconds(make_world: MakeWorld) -> None:
    world = make_world(StreamSettings())
    stream = world.streams.commands("p")
    await world.bus().publish(numbered(stream, *range(500)))
    async with victim(world, "hold") as process:
        assert process.stdout is not None
        assert await asyncio.wait_for(process.stdout.readline(), 10) == b"holding 500\n"
        handler = Recorder()
        bus = await reading(world, handler)
        process.kill()
        await eventually(lambda: sorted(map(int, handler.names)) == list(range(500)), within_s=8)
    assert all(len(call) == 1 and call[0].redelivered for call in handler.calls)
    assert bus.counts.taken_over == 500
    await eventually(lambda: settled(world))


async def test_thousands_of_entries_are_taken_over_at_a_decent_pace_and_shared(make_world: MakeWorld) -> None:
    world = make_world(replace(FAST, claim_idle_ms=500))  # Less, and a slow machine sees an entry handled twice.
    stream = world.streams.commands("p")
    await world.bus().publish(numbered(stream, *range(2_000)))
    await abandon(world, count=2_000)
    handlers = [Recorder(), Recorder()]
    begin = monotonic()
    for handler in handlers:
        await reading(world, handler)
    await eventually(lambda: sum(len(handler.names) for handler in handlers) >= 2_000, within_s=20)
    assert sorted(int(name) for handler in handlers for name in handler.names) == list(range(2_000))  # None twice.
    assert monotonic() - begin < 15


async def test_a_live_or_foreign_consumer_loses_an_entry_only_by_idle_time(make_world: MakeWorld) -> None:
    world = make_world(replace(FAST, idle_takeover_s=1.0))
    stream = world.streams.commands("p")
    await world.bus().publish(numbered(stream, "lost answer"))
    await world.client.xreadgroup("p", "foreign", {stream: ">"})
    begin = monotonic()
    handler = Recorder()
    await reading(world, handler)
    await eventually(lambda: handler.names == ["lost answer"])
    assert monotonic() - begin > 0.8


async def test_a_batch_in_hand_is_not_taken_from_oneself_by_idle_time(make_world: MakeWorld) -> None:
    world = make_world(replace(FAST, idle_takeover_s=0.1))
    stream = world.streams.commands("p")
    calls: list[int] = []

    async def idle_for_long() -> bool:
        (entry,) = await world.client.xpending_range(stream, "p", min="-", max="+", count=1)
        return bool(entry["time_since_delivered"] > 300)  # A claim would have set it back.

    async def slow(deliveries: Sequence[Delivery]) -> Sequence[Verdict]:
        calls.append(len(deliveries))
        await eventually(idle_for_long)
        return [Ack()] * len(deliveries)

    bus = await reading(world, slow)
    await bus.publish(numbered(stream, 1))
    await eventually(lambda: settled(world))
    assert calls == [1]


async def test_an_entry_that_kills_its_process_becomes_a_dead_letter_and_is_answered(world: RedisWorld) -> None:
    stream, replies = world.streams.commands("p"), world.streams.replies
    command = {"n": "killer", "id": "s1/a/action", "type": "p.a", "data": "{}", "replyto": replies, "attempt": "1"}
    await world.bus().publish([*numbered(stream, 1), Entry(stream, command), *numbered(stream, 2)])
    deaths = 0
    while not await world.fields(world.streams.dead(stream)) and deaths < 5:
        async with victim(world, "die") as process:
            await eventually(lambda: died_or_buried_it(world, process), within_s=15)
            deaths += process.returncode is not None
    assert deaths == 3  # Once with its batch, twice alone.
    (letter,) = await world.fields(world.streams.dead(stream))
    assert letter["n"] == "killer"
    (reply,) = await world.fields(replies)
    assert (reply["causationid"], reply["outcome"]) == ("s1/a/action", "failed")


async def died_or_buried_it(world: RedisWorld, process: asyncio.subprocess.Process) -> bool:
    buried = bool(await world.fields(world.streams.dead(world.streams.commands("p"))))
    return process.returncode is not None or (buried and await settled(world))


async def test_an_entry_trimmed_while_pending_is_counted_and_holds_nobody_up(world: RedisWorld) -> None:
    stream = world.streams.commands("p")
    await world.bus().publish(numbered(stream, 1, 2, 3))
    ids = await abandon(world, count=3)
    await world.client.xdel(stream, ids[1])
    handler = Recorder()
    bus = await reading(world, handler)
    await eventually(lambda: handler.names == ["1", "3"])
    await eventually(lambda: settled(world))
    await eventually(lambda: bus.counts.vanished == 1)


async def test_entries_that_are_no_text_reach_the_handler_and_hold_nobody_up(world: RedisWorld) -> None:
    stream = world.streams.commands("p")
    handler = Recorder(lambda d: Leave("what is this?") if b"\\xff".decode() in str(d.fields) else Ack())
    await reading(world, handler)
    await world.client.xadd(stream, {b"n": b"\xff\xfe", b"\x80": b"\x00"})
    await world.bus().publish(numbered(stream, "fine"))
    await eventually(lambda: settled(world))
    (letter,) = await world.fields(world.streams.dead(stream))
    assert letter["n"] == "\\xff\\xfe"
    assert handler.names.count("fine") == 1


async def test_a_dead_command_whose_reply_stream_cannot_exist_is_buried_all_the_same(world: RedisWorld) -> None:
    stream = world.streams.commands("p")
    await world.client.set("t.no-stream", "a string")
    fields = {"n": "1", "id": "s1/a/action", "replyto": "t.no-stream"}
    handler = Recorder(lambda d: Ack((Entry("t.no-stream", {"n": "reply"}),)) if d.fields["n"] == "1" else Ack())
    bus = await reading(world, handler)
    await bus.publish([Entry(stream, fields), *numbered(stream, 2)])
    assert await eventually(lambda: world.fields(world.streams.dead(stream)))
    await eventually(lambda: settled(world))
    assert handler.names.count("2") == 1


async def test_consequences_that_cannot_be_encoded_are_the_entrys_own_fault(world: RedisWorld) -> None:
    stream = world.streams.commands("p")
    broken: Any = {"n": object()}
    handler = Recorder(lambda d: Ack((Entry(stream, broken),)) if d.fields["n"] == "1" else Ack())
    bus = await reading(world, handler)
    await bus.publish(numbered(stream, 1, 2))
    (letter,) = await eventually(lambda: world.fields(world.streams.dead(stream)))
    assert letter["n"] == "1"
    await eventually(lambda: settled(world))
