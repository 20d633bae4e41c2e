"""How far groups have been delivered: for each the first entry that its group has not been given yet."""

from collections.abc import Mapping
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
    with translating():
        pipeline = client.pipeline(transaction=False)
        pipeline.time()
        for stream in groups:
            pipeline.xinfo_groups(stream)
        (seconds, microseconds), *answers = await pipeline.execute(raise_on_error=False)
    redis_time = _EPOCH + timedelta(seconds=int(seconds), microseconds=int(microseconds))
    delivered = {
        stream: _last_delivered(group, rows) for (stream, group), rows in zip(groups.items(), answers, strict=True)
    }
    return await _behind(client, delivered), redis_time


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
