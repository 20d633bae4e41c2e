"""What a Redis and the streams on it say of themselves, for whoever diagnoses them. Changes nothing.

INFO tells all that matters: CONFIG is forbidden on many servers, and a service has no need of it.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

from redis.asyncio import RedisCluster

from adapters.clock import Clock
from adapters.facts import BAD_URL, Fact, Skew, Unknown, attempt, skew
from adapters.streams.cluster_pipeline import pipeline_to
from adapters.streams.connection import Client, close, connect, text, translating
from adapters.streams.figures import StreamFigures, figures
from adapters.streams.names import MAX_SLOTS, ORCHESTRATOR_GROUP, Streams
from adapters.streams.pipeline import Pipeline, answered
from adapters.streams.progress import unsettled
from adapters.streams.readers import Readers, readers
from adapters.streams.settings import StreamSettings

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


Info: TypeAlias = Mapping[str, Any]  #: what INFO says


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisFacts:
    """Each as Redis has answered, or why it has not."""

    info: Fact[Info]  #: of a cluster, what one master says
    masters: Mapping[str, Fact[Info]] = field(default_factory=dict)  #: of a cluster, by `host:port`
    skew: Fact[Skew]
    types: Fact[Mapping[str, str]]  #: by stream; `none` where there is nothing of that name
    figures: Fact[Sequence[StreamFigures]]
    readers: Fact[Sequence[Readers]]


async def look_at_redis(url: str, streams: Streams, names: Sequence[str], clock: Clock, within_s: float) -> RedisFacts:
    """All facts about the server and these streams, each within the time, and about the replicas' own that are used."""
    settings = StreamSettings()
    try:
        client = connect(url, settings)
    except ValueError:
        return nothing_known(Unknown(BAD_URL))
    try:
        masters = await _masters(client, within_s)
        answers = [info for info in masters.values() if not isinstance(info, Unknown)]
        info = answers[0] if answers else await attempt(_info(client), within_s)
        if isinstance(info, Unknown):
            return nothing_known(info)
        difference = await attempt(skew(clock, _time(client)), within_s)  # By itself: nothing else is in its way.
        used = await attempt(_used(pipeline_to(client, within_s), streams), within_s)
        names = [*names, *(() if isinstance(used, Unknown) else used)]
        types, found, reading = await asyncio.gather(
            attempt(_types(client, names), within_s),
            attempt(figures(client, streams, names), within_s),
            attempt(readers(client, streams, names, settings.idle_takeover_s), within_s),
        )
        return RedisFacts(info=info, masters=masters, skew=difference, types=types, figures=found, readers=reading)
    finally:
        await attempt(close(client), within_s)


def nothing_known(why: Unknown) -> RedisFacts:
    """The facts about a Redis that was not found."""
    return RedisFacts(info=why, skew=why, types=why, figures=why, readers=why)


async def _masters(client: Client, within_s: float) -> Mapping[str, Fact[Info]]:
    """Each master of a cluster, asked by itself; none where the client's is no cluster, or nobody knows them."""
    cluster: Any = client
    if not isinstance(cluster, RedisCluster) or isinstance(await attempt(_known(cluster), within_s), Unknown):
        return {}
    nodes = sorted(cluster.get_primaries(), key=lambda node: node.name)
    found = await asyncio.gather(*(attempt(_info(node), within_s) for node in nodes))
    return {node.name: info for node, info in zip(nodes, found, strict=True)}


async def _known(cluster: RedisCluster) -> None:
    with translating():
        await cluster.initialize()


async def _info(server: Any) -> Info:
    """Of a client's server, or of one of a cluster."""
    with translating():
        found: Info = await server.execute_command("INFO")
    return found


async def _time(client: Client) -> datetime:
    with translating():
        seconds, microseconds = await client.time()
    return _EPOCH + timedelta(seconds=int(seconds), microseconds=int(microseconds))


async def _used(pipeline: Pipeline, streams: Streams) -> Sequence[str]:
    """The streams of slots that a replica holds, and those on which replies are left that nobody has adopted."""
    slots = range(MAX_SLOTS)
    holders = await answered(pipeline, [("GET", streams.replica(slot)) for slot in slots])
    left = await unsettled(pipeline, {streams.replies_of(slot): ORCHESTRATOR_GROUP for slot in slots})
    replies = [(streams.replies_of(slot), holder) for slot, holder in zip(slots, holders, strict=True)]
    return [stream for stream, holder in replies if holder is not None or stream in left]


async def _types(client: Client, names: Sequence[str]) -> Mapping[str, str]:
    pipeline = client.pipeline(transaction=False)
    for name in names:
        pipeline.type(name)
    with translating():
        answers = await pipeline.execute()
    return {name: text(answer) for name, answer in zip(names, answers, strict=True)}
