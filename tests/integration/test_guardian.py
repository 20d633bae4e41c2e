"""What the Redis bus survives, on a real server of its own that is wiped, stopped, filled and refused to it."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from redis.exceptions import RedisError

from adapters.bus import Ack, Delivery, Entry, Handler, Leave, Subscription, Verdict
from adapters.errors import Unavailable
from adapters.servers import RedisServer
from adapters.streams.redis_bus import RedisBus
from adapters.streams.settings import StreamSettings
from support.buses import FAST, Recorder, RedisWorld, numbered
from support.waiting import eventually

VICTIM = Path(__file__).parents[1] / "support" / "victim.py"
REPOSITORY = Path(__file__).parents[2]

MakeWorld = Callable[[StreamSettings], RedisWorld]


@pytest.fixture
async def make_world(own_redis: RedisServer) -> AsyncIterator[MakeWorld]:
    worlds: list[RedisWorld] = []

    def make(settings: StreamSettings) -> RedisWorld:
        worlds.append(RedisWorld(own_redis.url, "t.", settings))
        return worlds[-1]

    yield make
    for world in worlds:
        await asyncio.gather(*(bus.stop() for bus in world.buses))
        await world.client.aclose()


@pytest.fixture
def world(make_world: MakeWorld) -> RedisWorld:
    return make_world(FAST)


async def reading(world: RedisWorld, handler: Handler, healed: list[str] | None = None) -> RedisBus:
    """A started bus that reads `commands.p`."""

    async def on_healed(stream: str) -> None:
        if healed is not None:
            healed.append(stream)

    bus = world.bus()
    bus.subscribe(Subscription(world.streams.commands("p"), "p", handler, on_healed))
    await bus.start()
    await eventually(lambda: no_problems(bus))
    return bus


async def no_problems(bus: RedisBus) -> bool:
    return not await bus.problems()


async def settled(world: RedisWorld) -> bool:
    return await world.pending(world.streams.commands("p"), "p") == 0


async def commands_executed(world: RedisWorld) -> int:
    return int((await world.client.info("stats"))["total_commands_processed"])


@asynccontextmanager
async def victim(world: RedisWorld, how: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Another process that reads `commands.p`, and is killed in the end."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(VICTIM), world.url, world.streams.prefix, world.streams.commands("p"), "p", how),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


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
        await eventually(lambda: sorted(map(int, handler.names)) == list(range(500)), within_s=6)
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

    async def slow(deliveries: Sequence[Delivery]) -> Sequence[Verdict]:
        calls.append(len(deliveries))
        beats = int(await world.client.incr("t.slow"))
        await eventually(lambda: tended(beats))
        return [Ack()] * len(deliveries)

    async def tended(_: int) -> bool:
        """The guardian has looked for idle entries while this one was well past the limit."""
        (entry,) = await world.client.xpending_range(stream, "p", min="-", max="+", count=1)
        return bool(entry["time_since_delivered"] > 300)

    bus = await reading(world, slow)
    await bus.publish(numbered(stream, 1))
    await eventually(lambda: settled(world))
    assert calls == [1]


async def test_an_entry_that_kills_its_process_becomes_a_dead_letter_and_is_answered(world: RedisWorld) -> None:
    stream, replies = world.streams.commands("p"), world.streams.replies
    command = {"n": "killer", "id": "s1/a/action", "type": "p.a", "data": "{}", "replyto": replies, "attempt": "1"}
    await world.bus().publish([*numbered(stream, 1), Entry(stream, command), *numbered(stream, 2)])
    deaths = 0
    for _ in range(6):
        async with victim(world, "die") as process:
            await eventually(lambda p=process: ended_or_buried(world, p), within_s=15)  # type: ignore[misc]
            if await world.fields(world.streams.dead(stream)):
                break
            deaths += 1
    assert deaths == 3  # Once with its batch, twice alone.
    (letter,) = await world.fields(world.streams.dead(stream))
    assert letter["n"] == "killer"
    (reply,) = await world.fields(replies)
    assert (reply["causationid"], reply["outcome"]) == ("s1/a/action", "failed")
    await eventually(lambda: settled(world))


async def ended_or_buried(world: RedisWorld, process: asyncio.subprocess.Process) -> bool:
    return process.returncode is not None or bool(await world.fields(world.streams.dead(world.streams.commands("p"))))


async def test_an_entry_trimmed_while_pending_is_counted_and_holds_nobody_up(world: RedisWorld) -> None:
    stream = world.streams.commands("p")
    await world.bus().publish(numbered(stream, 1, 2, 3))
    ids = await abandon(world, count=3)
    await world.client.xdel(stream, ids[1])
    handler = Recorder()
    bus = await reading(world, handler)
    await eventually(lambda: handler.names == ["1", "3"])
    await eventually(lambda: settled(world))
    assert bus.counts.vanished == 1


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


REFUSALS: Mapping[str, tuple[Sequence[str], Sequence[str]]] = {
    "NOPERM": (("ACL", "SETUSER", "default", "-xreadgroup"), ("ACL", "SETUSER", "default", "+xreadgroup")),
    "READONLY": (("REPLICAOF", "127.0.0.1", "1"), ("REPLICAOF", "NO", "ONE")),
    "CLIENT PAUSE": (("CLIENT", "PAUSE", "3000", "ALL"), ("PING",)),
}


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
    await eventually(lambda: monotonic() - begin > 3)
    asked = await commands_executed(world) - executed
    assert asked < 40 * (monotonic() - begin)  # FastStream alone: 1,650 a second.
    await world.client.execute_command(*allow)
    await eventually(lambda: no_problems(bus))
    assert await bus.publish(numbered(world.streams.commands("p"), 1)) == [None]
    await eventually(lambda: handler.names == ["1"])


async def has_problems(bus: RedisBus) -> bool:
    return not await no_problems(bus)


async def test_a_full_server_takes_no_entry_but_lets_readers_drain_it(world: RedisWorld) -> None:
    stream, handler = world.streams.commands("p"), Recorder()
    await world.bus().publish(numbered(stream, *range(100)))
    await world.client.config_set("maxmemory", 1)
    bus = world.bus()
    (result,) = await bus.publish(numbered(stream, "refused"))
    assert isinstance(result, Unavailable)
    bus.subscribe(Subscription(stream, "p", handler))
    await bus.start()
    await world.client.config_set("maxmemory", 0)
    await eventually(lambda: handler.names == [str(n) for n in range(100)])


async def test_a_full_server_costs_no_reply(world: RedisWorld) -> None:
    stream, replies = world.streams.commands("p"), world.streams.replies
    handler = Recorder(lambda d: Ack((Entry(replies, {"n": d.fields["n"]}),)))
    bus = await reading(world, handler)
    await bus.publish(numbered(stream, 1, 2, 3))
    await eventually(lambda: settled(world))
    await world.client.config_set("maxmemory", 1)
    await world.client.config_set("maxmemory", 0)
    await bus.publish(numbered(stream, 4))
    await world.client.config_set("maxmemory", 1)
    await eventually(lambda: bus.counts.unavailable > 0 or handler.names[-1] == "4")
    await world.client.config_set("maxmemory", 0)
    await eventually(lambda: settled(world))
    assert {fields["n"] for fields in await world.fields(replies)} == {"1", "2", "3", "4"}


async def test_a_stopped_server_process_delays_but_loses_and_doubles_nothing(
    own_redis: RedisServer, world: RedisWorld
) -> None:
    handler = Recorder()
    bus = await reading(world, handler)
    os.kill(own_redis.pid, signal.SIGSTOP)
    try:
        await eventually(lambda: has_problems(bus))
    finally:
        os.kill(own_redis.pid, signal.SIGCONT)
    await eventually(lambda: no_problems(bus))
    await bus.publish(numbered(world.streams.commands("p"), 1))
    await eventually(lambda: handler.names == ["1"])


async def test_what_was_trimmed_unread_is_not_waited_for(world: RedisWorld) -> None:
    stream, bus = world.streams.commands("p"), world.bus()
    await bus.publish(numbered(stream, *range(10)))
    assert (await bus.delivered_until({stream: "p"}))[stream] is not None
    await world.client.xtrim(stream, maxlen=0, approximate=False)
    assert (await bus.delivered_until({stream: "p"}))[stream] is None


async def test_how_far_a_group_was_delivered_is_unknown_while_redis_is_away(
    own_redis: RedisServer, world: RedisWorld
) -> None:
    bus = world.bus()
    own_redis.stop()
    with pytest.raises(Unavailable):
        await bus.delivered_until({world.streams.commands("p"): "p"})


async def test_the_first_entry_of_our_streams_finds_its_group_made(world: RedisWorld) -> None:
    streams = [world.streams.commands("p"), world.streams.replies, f"{world.streams.replies}.a"]
    others = [world.streams.events, world.streams.dead(world.streams.replies), "orders-stream"]
    await world.bus().publish([Entry(stream, {"n": "1"}) for stream in streams + others])
    groups = [[row["name"] for row in await world.client.xinfo_groups(stream)] for stream in streams + others]
    assert groups == [["p"], ["orchestrator"], ["orchestrator"], [], [], []]


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


async def abandon(world: RedisWorld, count: int) -> list[str]:
    """Let a consumer that once had a heartbeat read entries and die. Returns their ids."""
    stream = world.streams.commands("p")
    await world.client.sadd(world.streams.known_consumers(stream, "p"), "dead")
    answer = await world.client.xreadgroup("p", "dead", {stream: ">"}, count=count)
    entries = next(iter(answer.values()))[0] if isinstance(answer, dict) else answer[0][1]
    assert len(entries) == count

    async def idle_enough() -> bool:
        try:
            (first,) = await world.client.xpending_range(stream, "p", min="-", max="+", count=1)
        except RedisError:
            return False
        return bool(first["time_since_delivered"] > world.settings.claim_idle_ms)

    await eventually(idle_enough)
    return [entry_id for entry_id, _ in entries]
