"""How far groups have been delivered: for each the first entry that its group has not been given yet."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from redis.exceptions import ResponseError

from adapters.streams.connection import Client, translating

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NOTHING_YET = b"0-0"


async def first_undelivered(client: Client, groups: Mapping[str, str]) -> tuple[dict[str, bytes | None], datetime]:
    """The id of that entry by stream, None where there is none, and the time on Redis' clock.

    A stream without its group has been delivered nothing: the group will be made again at id 0. Raises `Unavailable`.
    """
    (seconds, microseconds), answers = await _ask(client, groups)
    redis_time = _EPOCH + timedelta(seconds=int(seconds), microseconds=int(microseconds))
    return await _behind(client, _delivered(groups, answers)), redis_time


async def unsettled(client: Client, groups: Mapping[str, str]) -> set[str]:
    """The streams with an entry that their group has not been given, or has not acknowledged. Raises `Unavailable`."""
    _, answers = await _ask(client, groups)
    unread = await _behind(client, _delivered(groups, answers))
    return {
        stream
        for (stream, group), rows in zip(groups.items(), answers, strict=True)
        if unread[stream] is not None or _has_pending(group, rows)
    }


async def _ask(client: Client, groups: Mapping[str, str]) -> tuple[tuple[int, int], list[Any]]:
    """The time on Redis' clock, and the groups of each stream, or what it answered instead."""
    with translating():
        time = await client.time()  # By itself: in a cluster it belongs to no stream.
        pipeline = client.pipeline(transaction=False)
        for stream in groups:
            pipeline.xinfo_groups(stream)
        return time, await pipeline.execute(raise_on_error=False)


def _has_pending(group: str, rows: Any) -> bool:
    return not isinstance(rows, Exception) and any(row["pending"] for row in rows if row["name"] == group.encode())


def _delivered(groups: Mapping[str, str], answers: Sequence[Any]) -> dict[str, bytes | None]:
    return {stream: _last_delivered(group, rows) for (stream, group), rows in zip(groups.items(), answers, strict=True)}


def _last_delivered(group: str, rows: Any) -> bytes | None:
    """None where there is no stream, and so nothing that could still arrive."""
    if isinstance(rows, ResponseError) and "no such key" in str(rows):
        return None
    if isinstance(rows, Exception):
        with translating():
            raise rows
    return next((row["last-delivered-id"] for row in rows if row["name"] == group.encode()), _NOTHING_YET)


async def _behind(client: Client, delivered: Mapping[str, bytes | None]) -> dict[str, bytes | None]:
    streams = {stream: last for stream, last in delivered.items() if last is not None}
    first: dict[str, bytes | None] = dict.fromkeys(delivered)
    if streams:
        with translating():
            pipeline = client.pipeline(transaction=False)
            for stream, last in streams.items():
                pipeline.xrange(stream, min=b"(" + last, count=1)
            answers = await pipeline.execute()
        first |= {stream: found[0][0] if found else None for stream, found in zip(streams, answers, strict=True)}
    return first
