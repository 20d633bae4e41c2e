"""Who reads the streams that we read: for metrics, and for whoever diagnoses a service. Changes nothing."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from redis.exceptions import NoPermissionError

from adapters.streams.connection import Client, translating
from adapters.streams.figures import execute
from adapters.streams.names import Streams


@dataclass(frozen=True, slots=True)
class Readers:
    """The consumers of a stream's own group."""

    stream: str
    group: str
    there: bool  #: whether the group exists
    living: int = 0  #: with a heartbeat; those of other programs, which have none, by when they came last


Who: TypeAlias = tuple[str, str, Any]  #: stream, group, consumer as Redis names it


async def readers(client: Client, streams: Streams, names: Sequence[str], idle_s: float) -> Sequence[Readers]:
    """Those of each stream that has a group of ours, in two round trips. Raises `Unavailable`.

    A name outlives its consumer for minutes. Who ever had a heartbeat lives as long as it has one; anybody else, if it
    came within `idle_s`. Where this user may not look at heartbeats, that is the rule for all.
    """
    groups = [(name, group) for name in names if (group := streams.our_group(name)) is not None]
    pipeline = client.pipeline(transaction=False)
    for name, group in groups:
        pipeline.xinfo_consumers(name, group)
    pages = dict(zip(groups, await execute(pipeline), strict=True))
    rows = {(*where, row["name"]): row["idle"] / 1_000 for where, page in pages.items() for row in page or ()}
    known, beating = await _heartbeats(client, streams, list(rows))
    living = {who for who, idle in rows.items() if who in beating or (who not in known and idle < idle_s)}
    return [
        Readers(*where, there=page is not None, living=sum((*where, row["name"]) in living for row in page or ()))
        for where, page in pages.items()
    ]


async def _heartbeats(
    client: Client, streams: Streams, asked: Sequence[Who]
) -> tuple[Collection[Who], Collection[Who]]:
    """Those that ever had a heartbeat, and those that have one."""
    if not asked:
        return (), ()
    pipeline = client.pipeline(transaction=False)
    for stream, group, name in asked:
        pipeline.sismember(streams.known_consumers(stream, group), name)
        pipeline.exists(streams.heartbeat(stream, group, "").encode() + name)
    with translating():
        answers: Any = await pipeline.execute(raise_on_error=False)
        for answer in answers:
            if isinstance(answer, Exception) and not isinstance(answer, NoPermissionError):
                raise answer
    yes = [not isinstance(answer, Exception) and bool(answer) for answer in answers]
    known, beating = zip(asked, yes[::2], strict=True), zip(asked, yes[1::2], strict=True)
    return {who for who, is_so in known if is_so}, {who for who, is_so in beating if is_so}
