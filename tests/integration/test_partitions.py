"""Partitions of a stream, on one server as in a cluster: what is made, and what is shown of them."""

from random import Random
from uuid import uuid4

from adapters.bus import Entry
from adapters.clock import SystemClock
from adapters.streams.cleaning import remove_all
from adapters.streams.names import Streams
from adapters.streams.redis_bus import RedisBus
from adapters.streams.setup import set_up


async def test_each_has_a_group_and_their_dead_letters_are_counted_once(redis_url: str) -> None:
    streams = Streams(f"t{uuid4().hex[:8]}.", partitions=3)
    commands = streams.all_of(streams.commands("till"))
    made = await set_up(redis_url, streams, ["till"], users=False)
    assert sorted(made) == sorted([*commands, *streams.all_of(streams.replies)])
    bus = RedisBus(redis_url, clock=SystemClock(), rng=Random(0), streams=streams)
    try:
        await bus.publish([Entry(streams.dead(stream), {"n": "1"}) for stream in commands])
        figures = await bus.figures(commands)
        assert [(one.stream, one.dead_letters) for one in figures] == list(zip(commands, (3, 0, 0), strict=True))
        assert {group.group for one in figures for group in one.groups} == {"till"}
    finally:
        await bus.stop()
        await remove_all(redis_url, streams.prefix)
