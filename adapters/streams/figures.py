"""How long streams are and how far their groups have come, for metrics. Reads only, and nothing is decided by it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from redis.exceptions import ResponseError

from adapters.streams.connection import Client, text, translating
from adapters.streams.names import Streams

MAX_GROUPS = 20  #: groups shown of one stream; anyone may make one on the stream of events


@dataclass(frozen=True, slots=True)
class GroupFigures:
    """One consumer group of a stream."""

    group: str
    lag: int | None  #: entries not delivered yet; None where Redis can't tell, or the group is missing
    pending: int = 0  #: entries delivered and not acknowledged
    oldest_pending_idle_s: float = 0.0  #: since the oldest of them was delivered last; 0 without any
    consumers: int = 0  #: names, those of the dead until they are removed


@dataclass(frozen=True, slots=True)
class StreamFigures:
    """One stream; one that is missing is empty."""

    stream: str
    length: int
    dead_letters: int
    groups: Sequence[GroupFigures]


async def figures(client: Client, streams: Streams, names: Sequence[str]) -> Sequence[StreamFigures]:
    """The figures of the streams, in two round trips. Raises `Unavailable`.

    Who else reads a stream of others is not shown.
    """
    pipeline = client.pipeline(transaction=False)
    for name in names:
        pipeline.xlen(name)
        pipeline.xlen(streams.dead(name))
        pipeline.xinfo_groups(name)
    answers = await execute(pipeline)
    lengths, dead, rows = answers[::3], answers[1::3], answers[2::3]
    shown = {
        name: _shown(streams, name, of_stream or ())[:MAX_GROUPS] for name, of_stream in zip(names, rows, strict=True)
    }
    idle = await _oldest_pending(client, shown)
    groups = {
        name: _groups(streams.our_group(name), of_stream, idle.get(name, {})) for name, of_stream in shown.items()
    }
    letters = dict(zip(map(streams.dead, reversed(names)), reversed(dead), strict=True))
    return [  # Partitions have their dead letters together: they are those of the first.
        StreamFigures(name, length or 0, letters.pop(streams.dead(name), 0) or 0, groups[name])
        for name, length in zip(names, lengths, strict=True)
    ]


async def _oldest_pending(client: Client, shown: Mapping[str, Sequence[Any]]) -> Mapping[str, Mapping[bytes, float]]:
    """By stream and group: the seconds since its oldest pending entry was delivered last."""
    asked = [(name, row["name"]) for name, rows in shown.items() for row in rows if row["pending"]]
    if not asked:
        return {}
    pipeline = client.pipeline(transaction=False)
    for name, group in asked:
        pipeline.xpending_range(name, group, min="-", max="+", count=1)
    found: dict[str, dict[bytes, float]] = {}
    for (name, group), page in zip(asked, await execute(pipeline), strict=True):
        if page:
            found.setdefault(name, {})[group] = page[0]["time_since_delivered"] / 1_000
    return found


async def execute(pipeline: Any) -> list[Any]:
    """The answers; None for a stream or group that is missing, or a key that is no stream."""
    with translating():
        answers = await pipeline.execute(raise_on_error=False)
        for answer in answers:
            if isinstance(answer, Exception) and not is_missing(answer):
                raise answer
    return [None if isinstance(answer, Exception) else answer for answer in answers]


def _shown(streams: Streams, name: str, rows: Sequence[Any]) -> Sequence[Any]:
    """The groups that are shown, ours first."""
    ours = streams.our_group(name)
    shown = [row for row in rows if streams.is_ours(name) or text(row["name"]) == ours]
    return sorted(shown, key=lambda row: (text(row["name"]) != ours, row["name"]))


def is_missing(error: Exception) -> bool:
    """Whether Redis says that there is no such stream or group, or that the key is no stream."""
    said = str(error)
    return isinstance(error, ResponseError) and ("no such key" in said or "NOGROUP" in said or "WRONGTYPE" in said)


def _groups(own: str | None, rows: Sequence[Any], idle: Mapping[bytes, float]) -> Sequence[GroupFigures]:
    """The groups that are there, and ours also where it is missing: then nobody knows what it has not read."""
    groups = [
        GroupFigures(text(row["name"]), row.get("lag"), row["pending"], idle.get(row["name"], 0.0), row["consumers"])
        for row in rows
    ]
    if own is not None and own not in {each.group for each in groups}:
        groups.append(GroupFigures(own, lag=None))
    return groups
