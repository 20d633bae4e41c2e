"""Orchestrators on a real Redis whose streams have partitions: they know of each other, and share the timers.

Only their own clock is moved by the test: a lease ends by the server's.
"""

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any
from uuid import uuid4

import pytest

from adapters.servers import ClusterRedis
from adapters.streams.cleaning import remove_all
from adapters.streams.cluster_pipeline import pipeline_to
from adapters.streams.connection import close, connect
from adapters.streams.names import Streams
from adapters.streams.pipeline import Command, Pipeline, answered
from adapters.streams.redis_bus import RedisBus
from orchestrator.memory_store import MemorySagaStore
from orchestrator.shares import PATIENCE, WHOLE, Share
from support.buses import FAST
from support.clock import ManualClock
from support.replicas import One
from support.waiting import eventually

SAGAS = 40


@dataclass(slots=True)
class Installation:
    """Two orchestrators, and an inventory that takes its commands and never answers."""

    replicas: list[One]
    clock: ManualClock
    streams: Streams
    pipeline: Pipeline

    async def shares(self) -> list[Share]:
        """Of those that are left, after each has said that it lives."""
        for one in self.replicas:
            await one.replica.beat()
        return sorted((one.replica.share for one in self.replicas), key=lambda share: share.number)

    @property
    def commands(self) -> Sequence[str]:
        return self.streams.all_of(self.streams.commands("inventory"))

    async def taken(self, streams: Sequence[str] = ()) -> Counter[str]:
        """How often each command has come since the last time; on these streams only, if any are given."""
        asked = streams or self.commands
        read: list[Command] = [
            ("XREADGROUP", "GROUP", "inventory", "silent", "NOACK", "STREAMS", stream, ">") for stream in asked
        ]
        answers: list[Any] = await answered(self.pipeline, read)
        entries = [fields for answer in answers if answer for page in answer.values() for _, fields in page]
        return Counter(fields[fields.index(b"id") + 1].decode() for fields in entries)


@pytest.fixture(params=["one server", "cluster"])
async def installation(request: pytest.FixtureRequest) -> AsyncIterator[Installation]:
    clustered = request.param == "cluster"
    cluster: ClusterRedis | None = request.getfixturevalue("cluster_redis") if clustered else None
    url = cluster.url if cluster else request.getfixturevalue("redis_url")
    streams, clock, store = Streams(f"t{uuid4().hex[:8]}.", partitions=12), ManualClock(), MemorySagaStore()
    buses = [RedisBus(url, clock=clock, rng=Random(n), streams=streams, settings=FAST) for n in range(2)]
    replicas = [One(clock, bus, store, streams, reply_streams=16) for bus in buses]
    client = connect(url, FAST)
    yield Installation(replicas, clock, streams, pipeline_to(client, timeout_s=5))
    for bus in buses:
        await bus.stop()
    await close(client)
    await remove_all(url, streams.prefix)


async def test_each_timer_is_due_for_one_of_them_and_those_of_the_dead_for_the_other(
    installation: Installation,
) -> None:
    one, two = installation.replicas

    async def know_of_each_other() -> bool:
        return await installation.shares() == [Share(0, 2), Share(1, 2)]

    await eventually(know_of_each_other)
    await one.start(*(f"s-{number}" for number in range(SAGAS)))
    assert sum((await installation.taken()).values()) == SAGAS

    installation.clock.advance(3)
    woken = [await one.sweeper.sweep(), await two.sweeper.sweep()]
    assert sum(woken) == SAGAS
    assert min(woken) > 0
    assert {*(await installation.taken()).values()} == {1}, "each was sent again by one of them"

    installation.replicas.remove(two)  # It is dead, and its lease has not ended yet.
    installation.clock.advance(6)
    assert await one.sweeper.sweep() == woken[0]
    installation.clock.advance(PATIENCE.total_seconds())
    assert await one.sweeper.sweep() == woken[1]
    assert len(await installation.taken()) == SAGAS

    async def alone() -> bool:
        return await installation.shares() == [WHOLE]

    await eventually(alone)
    installation.clock.advance(12)
    assert await one.sweeper.sweep() == SAGAS


@pytest.mark.parametrize("installation", ["cluster"], indirect=True)
async def test_while_a_master_is_away_the_timers_of_other_partitions_go_on(
    installation: Installation, cluster_redis: ClusterRedis
) -> None:
    one, streams = installation.replicas[0], installation.streams
    ids = [f"s-{number}" for number in range(SAGAS)]
    await one.start(*ids)
    await installation.taken()
    masters = {stream: cluster_redis.master_of(stream) for stream in installation.commands}
    away = next(master for master in masters.values() if master is not cluster_redis.master_of(streams.events))
    there = [stream for stream, master in masters.items() if master is not away]
    reached = [each for each in ids if streams.partition(streams.commands("inventory"), each) in there]
    for node in cluster_redis.nodes:  # Else all of them stop where a part has nobody.
        node.execute("CONFIG", "SET", "cluster-require-full-coverage", "no")
    try:
        cluster_redis.replica_of(away).kill()
        away.kill()
        installation.clock.advance(3)
        assert await one.sweeper.sweep() == SAGAS
        assert sorted(await installation.taken(there)) == sorted(f"{each}/reserve-stock/action" for each in reached)
    finally:
        cluster_redis.heal()
        for node in cluster_redis.nodes:
            node.execute("CONFIG", "SET", "cluster-require-full-coverage", "yes")
    installation.clock.advance(3)
    await one.sweeper.sweep()
    assert len(await installation.taken()) == SAGAS - len(reached)
