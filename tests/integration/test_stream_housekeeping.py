"""What is trimmed and removed, and what never is; what is said about a stream."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from adapters.bus import Ack, Delivery, Entry, Subscription, Verdict
from adapters.errors import Unavailable
from adapters.servers import RedisServer
from support.buses import FAST, Recorder, RedisWorld, numbered
from support.redis_worlds import (
    MakeWorld,
    make_world,
    reading,
    world,
)
from support.waiting import eventually

__all__ = ["make_world", "world"]  # fixtures


async def test_trimming_shrinks_a_stream_but_never_drops_unread_or_pending_entries(make_world: MakeWorld) -> None:
    world = make_world(replace(FAST, trim_every_s=0.05, alone_limit=1_000, max_records=100))
    stream = world.streams.commands("p")
    holding = asyncio.Event()

    async def handler(deliveries: Sequence[Delivery]) -> Sequence[Verdict]:
        if deliveries[0].fields["n"] == "1500":
            await holding.wait()  # Read, not settled; what follows stays unread.
        return [Ack()] * len(deliveries)

    await world.bus().publish(numbered(stream, *range(2_000)))
    bus = await reading(world, handler)
    await eventually(lambda: bus.counts.trimmed >= 1_400)
    kept = [fields["n"] for fields in await world.fields(stream)]
    assert kept[-500:] == [str(n) for n in range(1_500, 2_000)]
    holding.set()
    await eventually(lambda: bus.counts.trimmed >= 1_900)
    assert bus.counts.vanished == 0


async def test_a_stream_is_trimmed_at_one_time_however_much_has_been_settled(make_world: MakeWorld) -> None:
    world = make_world(replace(FAST, trim_every_s=3_600))  # Once, at the beginning.
    stream = world.streams.commands("p")
    adding = world.client.pipeline(transaction=False)
    for n in range(25_000):
        adding.xadd(stream, {"n": str(n)})
    await adding.execute()
    await world.client.xgroup_create(stream, "p", id="$")

    bus = await reading(world, Recorder())

    await eventually(lambda: bus.counts.trimmed > 24_000)
    assert await world.client.xlen(stream) == 25_000 - bus.counts.trimmed


async def test_a_stream_that_is_not_ours_is_never_trimmed(make_world: MakeWorld) -> None:
    world = make_world(replace(FAST, trim_every_s=0.05))
    bus = world.bus()
    handler = Recorder()
    bus.subscribe(Subscription("orders-stream", "t.group", handler))
    bus.subscribe(Subscription(world.streams.commands("p"), "p", Recorder()))
    await bus.start()
    await bus.publish([*numbered("orders-stream", *range(500)), *numbered(world.streams.commands("p"), *range(500))])
    await eventually(lambda: bus.counts.trimmed > 0 and len(handler.names) == 500)
    assert await world.client.xlen("orders-stream") == 500


async def test_a_command_stream_without_its_group_counts_as_unread(make_world: MakeWorld) -> None:
    world = make_world(replace(FAST, trim_every_s=0.05))
    stream = world.streams.commands("p")
    bus = world.bus()
    bus.subscribe(Subscription(stream, "somebody-else", Recorder()))
    bus.subscribe(Subscription(world.streams.commands("q"), "q", Recorder()))
    for n in range(500):
        await world.client.xadd(stream, {"n": str(n)})
    await bus.start()
    await bus.publish(numbered(world.streams.commands("q"), *range(500)))
    await eventually(lambda: bus.counts.trimmed > 0)
    assert await world.client.xlen(stream) == 500


async def test_events_are_trimmed_by_number_and_age_whoever_reads_them(make_world: MakeWorld) -> None:
    world = make_world(replace(FAST, trim_every_s=0.05, events_maxlen=300, events_age_s=3_600))
    events = world.streams.events
    await world.client.xadd(events, {"n": "old"}, id="1000-0")
    for _ in range(200):
        await world.client.xadd(events, {"n": "old"}, id="1000-*")
    bus = await reading(world, Recorder())
    await bus.publish(numbered(events, *range(1_000)))

    async def trimmed() -> bool:
        kept = [fields["n"] for fields in await world.fields(events)]
        return kept[0] != "old" and 300 <= len(kept) < 500 and kept[-1] == "999"

    await eventually(trimmed)


async def test_the_names_of_dead_consumers_are_removed_once_nothing_of_theirs_is_pending(
    make_world: MakeWorld,
) -> None:
    world = make_world(replace(FAST, trim_every_s=0.05, dead_consumer_idle_s=0.3))
    stream = world.streams.commands("p")
    bus = await reading(world, Recorder())
    await world.client.xgroup_createconsumer(stream, "p", "gone")
    await world.client.xgroup_createconsumer(stream, "p", "alive")
    await world.client.set(world.streams.heartbeat(stream, "p", "alive"), "1", px=60_000)

    async def names() -> set[str]:
        return {row["name"] for row in await world.client.xinfo_consumers(stream, "p")}

    await eventually(lambda: names_are(names, {bus.consumer, "alive"}))
    await bus.stop()
    assert await names() == {"alive"}  # A bus that stops in peace leaves no name behind.


async def names_are(names: Callable[[], Any], wanted: set[str]) -> bool:
    return bool(await names() == wanted)


async def test_what_was_trimmed_unread_is_not_waited_for(world: RedisWorld) -> None:
    stream, bus = world.streams.commands("p"), world.bus()
    await bus.publish(numbered(stream, *range(10)))
    assert (await bus.progress({stream: "p"}))[stream].delivered_until is not None
    await world.client.xtrim(stream, maxlen=0, approximate=False)
    assert (await bus.progress({stream: "p"}))[stream].delivered_until is None


async def test_how_far_a_group_was_delivered_is_unknown_while_redis_is_away(
    own_redis: RedisServer, world: RedisWorld
) -> None:
    bus = world.bus()
    own_redis.stop()
    with pytest.raises(Unavailable):
        await bus.progress({world.streams.commands("p"): "p"})


async def test_the_first_entry_of_our_streams_finds_its_group_made(world: RedisWorld) -> None:
    streams = [world.streams.commands("p"), world.streams.replies, f"{world.streams.replies}.a"]
    others = [world.streams.events, world.streams.dead(world.streams.replies), "orders-stream"]
    await world.bus().publish([Entry(stream, {"n": "1"}) for stream in streams + others])
    groups = [[row["name"] for row in await world.client.xinfo_groups(stream)] for stream in streams + others]
    assert groups == [["p"], ["orchestrator"], ["orchestrator"], [], [], []]
