"""What the guardian of a subscription survives: lost groups, lost servers, servers that refuse."""

import asyncio
import os
import signal
from collections.abc import Mapping, Sequence
from time import monotonic

import pytest
from faststream import FastStream
from structlog.testing import capture_logs

from adapters.bus import Ack, Delivery, Entry, Subscription, Verdict
from adapters.errors import Unavailable
from adapters.servers import RedisServer
from adapters.streams.settings import StreamSettings
from support.buses import FAST, Recorder, RedisWorld, numbered
from support.redis_worlds import (
    MakeWorld,
    commands_executed,
    has_problems,
    make_world,
    no_problems,
    reading,
    settled,
    world,
)
from support.waiting import eventually

REFUSALS: Mapping[str, tuple[Sequence[str], Sequence[str]]] = {
    "NOPERM": (("ACL", "SETUSER", "default", "-xreadgroup"), ("ACL", "SETUSER", "default", "+xreadgroup")),
    "READONLY": (("REPLICAOF", "127.0.0.1", "1"), ("REPLICAOF", "NO", "ONE")),
    "CLIENT PAUSE": (("CLIENT", "PAUSE", "3000", "ALL"), ("PING",)),
}

__all__ = ["make_world", "world"]  # fixtures


async def test_after_flushall_new_entries_are_handled_within_seconds(world: RedisWorld) -> None:
    handler, healed = Recorder(), list[str]()
    bus = await reading(world, handler, healed)
    names = ["a", "b", "c", "d", "e"]
    for name in names:
        before = len(healed)
        await world.client.flushall()
        await bus.publish(numbered(world.streams.commands("p"), name))
        await eventually(lambda: len(healed) > before, within_s=3)  # noqa: B023 - awaited within the round
        await eventually(lambda: settled(world), within_s=3)
    assert [*dict.fromkeys(handler.names)] == names


async def test_a_destroyed_group_is_made_again_and_skips_nothing(world: RedisWorld) -> None:
    stream, handler, healed = world.streams.commands("p"), Recorder(), list[str]()
    bus = await reading(world, handler, healed)
    await world.client.xgroup_destroy(stream, "p")
    await bus.publish(numbered(stream, "in between"))
    await eventually(lambda: "in between" in handler.names)
    assert healed == [stream]


async def test_who_reads_no_more_is_forgotten_and_not_who_reads_in_its_place(world: RedisWorld) -> None:
    stream, begun, go_on = world.streams.commands("p"), asyncio.Event(), asyncio.Event()

    async def slow(deliveries: Sequence[Delivery]) -> Sequence[Verdict]:
        begun.set()
        await go_on.wait()
        return [Ack()] * len(deliveries)

    bus, anew = world.bus(), Recorder()
    bus.subscribe(Subscription(stream, "p", slow))
    await bus.start()
    await bus.publish(numbered(stream, 1))
    await begun.wait()
    leaving = asyncio.create_task(bus.unsubscribe(stream))
    await bus.publish(numbered(stream, 2))
    bus.subscribe(Subscription(stream, "p", anew))
    await eventually(lambda: "2" in anew.names)
    go_on.set()
    await leaving
    for name in ("3", "4"):  # A read that was under way may have the first of them.
        await bus.publish(numbered(stream, name))
        await eventually(lambda: name in anew.names)  # noqa: B023 - awaited within the round
    await bus.unsubscribe(stream)
    assert bus.broker.readers == {}


async def test_a_group_that_another_process_made_again_counts_as_healed_too(world: RedisWorld) -> None:
    stream, healed = world.streams.commands("p"), list[str]()
    bus = await reading(world, Recorder(), healed)
    await bus.publish(numbered(stream, 1))
    await eventually(lambda: settled(world))
    pipeline = world.client.pipeline(transaction=True)
    pipeline.delete(stream)
    pipeline.xgroup_create(stream, "p", id="0", mkstream=True)
    await pipeline.execute()
    await eventually(lambda: healed == [stream])


async def test_whoever_has_to_hear_of_a_healing_is_told_until_it_succeeds(world: RedisWorld) -> None:
    told: list[str] = []

    async def on_healed(stream: str) -> None:
        told.append(stream)
        if len(told) < 3:
            raise Unavailable("MongoDB is away")

    bus = world.bus()
    bus.subscribe(Subscription(world.streams.commands("p"), "p", Recorder(), on_healed))
    await bus.start()
    await eventually(lambda: no_problems(bus))
    await world.client.flushall()
    await eventually(lambda: len(told) == 3)
    await bus.publish(numbered(world.streams.commands("p"), 1))
    await eventually(lambda: settled(world))
    assert len(told) == 3


async def test_redis_may_be_down_at_the_start_and_come_later(own_redis: RedisServer, make_world: MakeWorld) -> None:
    world = make_world(FAST)
    own_redis.stop()
    handler = Recorder()
    bus = world.bus()
    bus.subscribe(Subscription(world.streams.commands("p"), "p", handler))
    await asyncio.wait_for(bus.start(), 0.5)
    assert any("does not answer" in problem for problem in await bus.problems())
    (result,) = await bus.publish(numbered(world.streams.commands("p"), "lost"))
    assert isinstance(result, Unavailable)
    own_redis.start()
    await eventually(lambda: no_problems(bus))
    assert await bus.publish(numbered(world.streams.commands("p"), 1)) == [None]
    await eventually(lambda: handler.names == ["1"])


async def test_a_redis_that_is_away_is_told_once_for_all_streams_and_so_is_its_end(
    world: RedisWorld, own_redis: RedisServer
) -> None:
    own_redis.stop()
    bus = world.bus()
    for name in ("p", "q", "r"):
        bus.subscribe(Subscription(world.streams.commands(name), name, Recorder()))

    async def all_were_away() -> bool:
        streams = [problem for problem in await bus.problems() if "is not being read" in problem]
        return len(streams) == 3 and all("connecting to" in problem for problem in streams)

    with capture_logs() as logged:
        await bus.start()
        await eventually(all_were_away)
        own_redis.start()
        await eventually(lambda: any(told["event"] == "redis-back" for told in logged))
    told = [one for one in logged if one["event"].startswith(("redis-", "stream-"))]
    assert [one["event"] for one in told] == ["redis-away", "redis-back"]
    assert "connecting to" in told[0]["reason"]


async def test_what_is_refused_is_told_once_with_the_reason_and_so_is_its_end(world: RedisWorld) -> None:
    await reading(world, Recorder())

    async def often_refused() -> bool:
        stats = await world.client.info("commandstats")
        return bool(stats["cmdstat_sadd"]["rejected_calls"] >= 10)

    with capture_logs() as logged:
        await world.client.execute_command("ACL", "SETUSER", "default", "-sadd")
        await eventually(often_refused)
        await world.client.execute_command("ACL", "SETUSER", "default", "+sadd")
        await eventually(lambda: any(told["event"] == "stream-back" for told in logged))
    away, back = [told for told in logged if told["event"].startswith("stream-")]
    assert away["event"] == "stream-away"
    assert "sadd" in away["reason"]
    assert (away["stream"], away["step"]) == (back["stream"], back["step"]) == (world.streams.commands("p"), "_beat")


async def test_a_killed_and_restarted_server_is_read_again_within_seconds(
    own_redis: RedisServer, world: RedisWorld
) -> None:
    handler = Recorder()
    bus = await reading(world, handler)
    await bus.publish(numbered(world.streams.commands("p"), 1))
    await eventually(lambda: handler.names == ["1"])
    own_redis.restart()

    async def published() -> bool:
        return list(await bus.publish(numbered(world.streams.commands("p"), 2))) == [None]

    await eventually(published)
    await eventually(lambda: "2" in handler.names, within_s=3)


@pytest.mark.parametrize("refusal", REFUSALS)
async def test_a_server_that_refuses_is_asked_a_few_times_a_second_and_then_used_again(
    make_world: MakeWorld, refusal: str
) -> None:
    world = make_world(StreamSettings(block_ms=100, socket_timeout_s=1.0))  # Production's pauses.
    refuse, allow = REFUSALS[refusal]
    handler = Recorder()
    bus = await reading(world, handler)
    await world.client.execute_command(*refuse)
    begin, executed = monotonic(), await commands_executed(world)
    await eventually(lambda: has_problems(bus))
    await eventually(lambda: monotonic() - begin > 2)
    asked = await commands_executed(world) - executed
    assert asked < 40 * (monotonic() - begin)  # FastStream alone: 1,650 a second.
    await world.client.execute_command(*allow)
    await eventually(lambda: no_problems(bus))
    assert await bus.publish(numbered(world.streams.commands("p"), 1)) == [None]
    await eventually(lambda: handler.names == ["1"])


async def test_a_full_server_takes_no_entry_but_lets_readers_drain_it(world: RedisWorld) -> None:
    stream, full = world.streams.commands("p"), asyncio.Event()

    async def handler(deliveries: Sequence[Delivery]) -> Sequence[Verdict]:
        await full.wait()
        return [Ack()] * len(deliveries)

    bus = await reading(world, handler)
    await bus.publish(numbered(stream, *range(1_000)))
    await world.client.config_set("maxmemory", 1)
    (result,) = await bus.publish(numbered(stream, "refused"))
    assert isinstance(result, Unavailable)
    full.set()
    await eventually(lambda: bus.counts.settled == 1_000)


async def test_one_stream_that_we_may_not_write_to_costs_the_others_of_its_batch_nothing(world: RedisWorld) -> None:
    ours, theirs = world.streams.commands("p"), world.streams.commands("q")
    await world.client.execute_command("ACL", "SETUSER", "limited", "on", ">pw", "+@all", f"~{ours}*")
    limited = RedisWorld(world.url.replace("redis://", "redis://limited:pw@"), world.streams.prefix, FAST).bus()
    results = await limited.publish([*numbered(ours, 1), *numbered(theirs, 2), *numbered(ours, 3)])
    await limited.stop()
    assert [isinstance(result, Unavailable) for result in results] == [False, True, False]
    assert await world.fields(ours) == [{"n": "1"}, {"n": "3"}]


async def test_a_full_server_costs_no_reply(world: RedisWorld) -> None:
    stream, replies = world.streams.commands("p"), world.streams.replies
    calls: list[int] = []

    async def handler(deliveries: Sequence[Delivery]) -> Sequence[Verdict]:
        calls.append(len(deliveries))
        if len(calls) == 1:
            await world.client.config_set("maxmemory", 1)  # Full between the effect and its reply.
        return [Ack((Entry(replies, {"n": delivery.fields["n"]}),)) for delivery in deliveries]

    bus = await reading(world, handler)
    await bus.publish(numbered(stream, "paid"))
    await eventually(lambda: bus.counts.unavailable > 1)
    assert await world.pending(stream, "p") == 1
    await world.client.config_set("maxmemory", 0)
    await eventually(lambda: settled(world))
    assert await world.fields(replies) == [{"n": "paid"}]


async def test_a_server_process_that_hangs_for_a_while_is_read_again_at_once(
    own_redis: RedisServer, world: RedisWorld
) -> None:
    handler = Recorder()
    bus = await reading(world, handler)
    os.kill(own_redis.pid, signal.SIGSTOP)
    try:
        await eventually(lambda: has_problems(bus))
    finally:
        os.kill(own_redis.pid, signal.SIGCONT)
    begin = monotonic()
    await bus.publish(numbered(world.streams.commands("p"), 1))
    await eventually(lambda: handler.names == ["1"])
    assert monotonic() - begin < 4  # FastStream alone sleeps for 5 s after a lost connection.


async def test_a_reader_says_that_it_lives_before_it_reads(world: RedisWorld) -> None:
    stream = world.streams.commands("p")
    beating: list[int] = []

    async def handler(deliveries: Sequence[Delivery]) -> Sequence[Verdict]:
        beating.append(await world.client.exists(world.streams.heartbeat(stream, "p", bus.consumer)))
        return [Ack()] * len(deliveries)

    bus = world.bus()
    await bus.publish(numbered(stream, 1))
    bus.subscribe(Subscription(stream, "p", handler))
    await bus.start()
    await eventually(lambda: beating == [1])


async def test_a_faststream_application_may_run_the_bus(world: RedisWorld) -> None:
    stream, handler, bus = world.streams.commands("p"), Recorder(), world.bus()
    bus.subscribe(Subscription(stream, "p", handler))
    await bus.publish(numbered(stream, 1))
    app = FastStream(bus.broker, on_startup=[bus.start], on_shutdown=[bus.stop])
    await app.start()
    await eventually(lambda: handler.names == ["1"])
    assert stream in str(app.schema.to_specification().to_jsonable())
    await app.stop()
