"""Commands find the server that has the key now: another master, another part of a cluster, a slot on its way."""

from collections.abc import AsyncIterator, Iterator
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

import pytest
from redis.exceptions import ReadOnlyError, RedisError

from adapters.bus import Entry
from adapters.clock import SystemClock
from adapters.errors import Unavailable
from adapters.servers import ClusterRedis, RedisServer, SentinelRedis
from adapters.servers.cluster import ClusterNode
from adapters.servers.sentinel import MASTER_NAME, SentinelServer
from adapters.streams.cluster_pipeline import ClusterPipeline
from adapters.streams.connection import Client, close, connect
from adapters.streams.masters import MasterPool
from adapters.streams.names import Streams
from adapters.streams.pipeline import Command, ServerPipeline
from adapters.streams.redis_bus import RedisBus
from adapters.streams.settings import StreamSettings
from orchestrator.announcer import Announcer
from support.orders import started
from support.waiting import eventually

STREAM = "redirected.{moving}"
ADD: Command = ("XADD", STREAM, "*", "n", "1")


@pytest.fixture
async def client(sentinel_redis: SentinelRedis) -> AsyncIterator[Client]:
    client = connect(sentinel_redis.url, StreamSettings())
    yield client
    await close(client)
    sentinel_redis.master().execute("DEL", STREAM)
    sentinel_redis.heal()


async def test_a_master_that_is_none_any_more_is_left_also_while_it_still_takes_entries(
    client: Client, sentinel_redis: SentinelRedis
) -> None:
    pipeline, pool = ServerPipeline(client, timeout_s=5), client.connection_pool
    assert isinstance(pool, MasterPool)
    await pipeline.execute([ADD])  # Its connection is kept.
    sentinel_redis.fail_over()
    before = sentinel_redis.master().execute("XLEN", STREAM)
    await pool.get_master_address()  # As every second.
    await pipeline.execute([ADD])
    assert sentinel_redis.master().execute("XLEN", STREAM) == before + 1


@pytest.fixture
def lonely(own_redis: RedisServer, server_directory: Path) -> Iterator[SentinelServer]:
    """A Sentinel that no other one reaches; the master that it knows is none."""
    lonely = SentinelServer(server_directory, own_redis)
    lonely.start()
    own_redis.execute("REPLICAOF", "127.0.0.1", 1)
    yield lonely
    lonely.kill()


@pytest.mark.parametrize("dead", [False, True])
async def test_a_sentinel_that_names_none_who_is_master_is_asked_last(
    sentinel_redis: SentinelRedis, own_redis: RedisServer, lonely: SentinelServer, dead: bool
) -> None:
    if dead:
        own_redis.kill()
    master = sentinel_redis.master()
    before = master.execute("XLEN", STREAM)
    client = connect(sentinel_redis.url.replace("//", f"//127.0.0.1:{lonely.port},"), StreamSettings())
    try:
        answers = await ServerPipeline(client, timeout_s=5).execute([ADD])
    finally:
        await close(client)
    assert not any(isinstance(answer, Exception) for answer in answers)
    assert master.execute("XLEN", STREAM) == before + 1


async def test_sentinels_are_asked_once_for_many_answers_that_a_server_is_read_only(lonely: SentinelServer) -> None:
    def asked() -> int:
        return int(lonely.execute("INFO", "stats").partition("total_commands_processed:")[2].split()[0])

    client, many = connect(f"redis+sentinel://127.0.0.1:{lonely.port}/{MASTER_NAME}", StreamSettings()), 400
    try:
        pipeline, before = ServerPipeline(client, timeout_s=5), asked()
        answers = await pipeline.execute([ADD] * many)
    finally:
        await close(client)
    assert sum(isinstance(answer, ReadOnlyError) for answer in answers) == many
    assert asked() - before < many / 10


@pytest.mark.parametrize("at_once", [False, True])
async def test_a_master_that_has_become_a_replica_is_left(
    client: Client, sentinel_redis: SentinelRedis, at_once: bool
) -> None:
    pipeline, old = ServerPipeline(client, timeout_s=5), sentinel_redis.master()
    await pipeline.execute([ADD])
    sentinel_redis.fail_over()
    new = sentinel_redis.master()
    old.execute("REPLICAOF", "127.0.0.1", new.port)  # Its connections stay.
    before = new.execute("XLEN", STREAM)
    answers = await (pipeline.at_once if at_once else pipeline.execute)([("EXISTS", STREAM), ADD])
    assert not any(isinstance(answer, Exception) for answer in answers)
    assert new.execute("XLEN", STREAM) == before + 1


async def test_a_slot_that_moves_to_another_server_is_followed_at_every_stage(cluster_redis: ClusterRedis) -> None:
    client = connect(cluster_redis.url, StreamSettings())
    pipeline, twice = ClusterPipeline(client, timeout_s=5), [ADD, ADD]
    first = cluster_redis.master_of(STREAM)
    second = next(node for node in cluster_redis.nodes if node.is_master and node is not first)
    slot = int(first.execute("CLUSTER", "KEYSLOT", STREAM))
    try:
        answers = await pipeline.at_once(twice)
        second.execute("CLUSTER", "SETSLOT", slot, "IMPORTING", first.id)
        first.execute("CLUSTER", "SETSLOT", slot, "MIGRATING", second.id)
        answers += await pipeline.at_once(twice)
        first.execute("MIGRATE", "127.0.0.1", second.port, STREAM, 0, 5_000)
        answers += [*await pipeline.at_once(twice), *await pipeline.execute(twice)]  # The key is there, the slot here.
        for node in (second, first):
            node.execute("CLUSTER", "SETSLOT", slot, "NODE", second.id)
        answers += [*await pipeline.at_once(twice), *await pipeline.execute(twice)]
        assert all(isinstance(answer, bytes) for answer in answers), answers
        assert second.execute("XLEN", STREAM) == len(answers)
    finally:
        await close(client)


async def test_a_key_is_found_on_a_server_that_has_just_joined(
    cluster_redis: ClusterRedis, server_directory: Path
) -> None:
    client, joined = connect(cluster_redis.url, StreamSettings()), ClusterNode(server_directory)
    pipeline, first = ClusterPipeline(client, timeout_s=5), cluster_redis.master_of(STREAM)
    slot = int(first.execute("CLUSTER", "KEYSLOT", STREAM))
    await pipeline.execute([ADD])
    joined.start()
    try:
        joined.execute("CLUSTER", "MEET", "127.0.0.1", first.port)
        await eventually(lambda: all(node.agrees(7) for node in (*cluster_redis.nodes, joined)))
        joined.execute("CLUSTER", "SETSLOT", slot, "IMPORTING", first.id)
        first.execute("CLUSTER", "SETSLOT", slot, "MIGRATING", joined.id)
        first.execute("MIGRATE", "127.0.0.1", joined.port, STREAM, 0, 5_000)
        answers = [*await pipeline.execute([ADD]), *await pipeline.at_once([ADD, ADD])]
        assert all(isinstance(answer, bytes) for answer in answers), answers
    finally:
        await close(client)
        first.execute("CLUSTER", "SETSLOT", slot, "STABLE")
        gone = joined.id
        joined.kill()
        for node in cluster_redis.nodes:
            node.execute("CLUSTER", "FORGET", gone)


async def test_one_server_that_is_away_fails_its_own_commands_only(cluster_redis: ClusterRedis) -> None:
    client = connect(cluster_redis.url, StreamSettings())
    pipeline = ClusterPipeline(client, timeout_s=5)
    here, there = "redirected.{0}", "redirected.{1}"
    try:
        away = cluster_redis.master_of(there)
        assert cluster_redis.master_of(here) is not away
        await pipeline.execute([("EXISTS", here), ("EXISTS", there)])
        away.kill()
        reached, lost = await pipeline.at_once([("EXISTS", here), ("EXISTS", there)])
        assert reached == 0
        assert isinstance(lost, Exception)
        times = (await pipeline.execute([("EXISTS", here), ("TIME",), ("EXISTS", there), ("TIME",)]))[1::2]
        assert [isinstance(time, Exception) for time in times] == [False, True], "each server's own"
    finally:
        await close(client)
        cluster_redis.heal()


async def test_a_client_whose_last_command_failed_leaves_no_connection_open(cluster_redis: ClusterRedis) -> None:
    client: Any = connect(cluster_redis.url, StreamSettings(block_ms=100, socket_timeout_s=0.3))
    here, there = "redirected.{0}", "redirected.{1}"
    await client.xlen(here)
    silent = cluster_redis.master_of(there)
    silent.pause()
    try:
        with pytest.raises(RedisError):
            await client.xlen(there)
    finally:
        silent.resume()
        await close(client)
        cluster_redis.heal()
    nodes = [*client.nodes_manager.nodes_cache.values(), *client.nodes_manager.startup_nodes.values()]
    assert not [node for node in nodes for one in node._connections if one.is_connected]  # noqa: SLF001


async def test_who_gives_up_asking_whether_a_cluster_answers_ends_no_connections(cluster_redis: ClusterRedis) -> None:
    settings, stream = StreamSettings(block_ms=500, socket_timeout_s=1.0), "redirected.{0}"
    bus = RedisBus(cluster_redis.url, clock=SystemClock(), rng=Random(0), settings=settings)
    server = cluster_redis.master_of(stream)

    def connected() -> list[str]:
        return [line.split()[0] for line in server.execute("CLIENT", "LIST").splitlines() if "cmd=xadd" in line]

    await bus.publish([Entry(stream, {"n": "1"})])
    before = connected()
    for node in cluster_redis.nodes:
        node.pause()
    try:
        problems = [await bus.problems(), await bus.problems()]  # The second time all servers are looked for.
        for node in cluster_redis.nodes:
            node.resume()
        assert problems[1] == ["Redis does not answer: timeout"]
        assert connected() == before != []
    finally:
        await bus.stop()
        cluster_redis.heal()


async def test_no_command_is_sent_while_the_server_of_its_events_is_away(cluster_redis: ClusterRedis) -> None:
    streams, clock = Streams("redirected.", partitions=12), SystemClock()
    bus = RedisBus(cluster_redis.url, clock=clock, rng=Random(0), streams=streams)
    away, commands = cluster_redis.master_of(streams.events), streams.commands("inventory")
    streams_of = ((name, streams.partition(commands, name)) for name in (f"s{n}" for n in count()))
    saga_id, stream = next(each for each in streams_of if cluster_redis.master_of(each[1]) is not away)
    there = cluster_redis.master_of(stream)
    assert not await bus.problems()  # It knows all servers.
    away.kill()
    try:
        with pytest.raises(Unavailable):
            await Announcer(bus, streams, clock).announce([started(saga_id, clock.now())])
        assert there.execute("EXISTS", stream) == 0
    finally:
        await bus.stop()
        cluster_redis.heal()
