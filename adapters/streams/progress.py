"""How far groups have come: for each the first entry that its group has not been given yet, or not acknowledged."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from redis.exceptions import ResponseError

from adapters.bus import Progress
from adapters.clock import Clock
from adapters.streams.connection import translating
from adapters.streams.ids import parse_id
from adapters.streams.pipeline import Command, Pipeline, answered

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NOTHING_YET = b"0-0"

Rows = Sequence[Mapping[bytes, Any]]  #: of a stream's groups


async def progress(pipeline: Pipeline, groups: Mapping[str, str], clock: Clock) -> Mapping[str, Progress]:
    """See `adapters.bus.Bus`.

    A server's clock is compared with ours as it was when the question went out. So an answer that takes its time, or
    another server's that never comes, makes what is delivered seem less far than it is, and never further.
    """
    asked = clock.now()
    with translating():
        answers = await pipeline.execute([each for stream in groups for each in (_look(stream), ("TIME",))])
        last = {
            stream: (_last_delivered(groups[stream], rows(answer)), _time(time) - asked)
            for stream, answer, time in zip(groups, answers[::2], answers[1::2], strict=True)
            if not (_lost(answer) or _lost(time))
        }
        begun = {stream: delivered for stream, (delivered, _) in last.items() if delivered is not None}
        # What is delivered between the two looks was undelivered at the first one.
        looks = [(_behind(stream, begun[stream]), _pending(stream, groups[stream])) for stream in begun]
        further = await pipeline.execute([each for both in looks for each in both]) if looks else []
        found = {stream: Progress(None, None) for stream in last.keys() - begun.keys()}
        for stream, page, pending in zip(begun, further[::2], further[1::2], strict=True):
            if not (_lost(page) or _lost(pending)):
                found[stream] = _progress(_first(page), _oldest(pending), last[stream][1])
        if groups and not found:
            raise next(answer for answer in [*further, *answers] if isinstance(answer, BaseException) and _lost(answer))
    return found


def _progress(undelivered: bytes | None, pending: bytes | None, ahead: timedelta) -> Progress:
    """Of the first entries of each kind, if there are any, by a server's clock that is so far ahead of ours."""

    def at(*ids: bytes | None) -> datetime | None:
        times = [parse_id(entry_id)[0] for entry_id in ids if entry_id is not None]
        return _EPOCH + timedelta(milliseconds=min(times)) - ahead if times else None

    return Progress(at(undelivered), at(undelivered, pending))


async def unsettled(pipeline: Pipeline, groups: Mapping[str, str]) -> set[str]:
    """The streams with an entry that their group has not been given, or has not acknowledged. Raises `Unavailable`."""
    with translating():
        answers = await pipeline.execute([_look(stream) for stream in groups])
        of_stream = {stream: rows(answer) for stream, answer in zip(groups, answers, strict=True)}
    last = {stream: _last_delivered(groups[stream], found) for stream, found in of_stream.items()}
    begun = [(stream, delivered) for stream, delivered in last.items() if delivered is not None]
    pages = await answered(pipeline, [_behind(*each) for each in begun]) if begun else []
    unread = {stream for (stream, _), page in zip(begun, pages, strict=True) if _first(page) is not None}
    return unread | {stream for stream, found in of_stream.items() if _has_pending(groups[stream], found)}


def rows(answer: object) -> Rows | None:
    """What XINFO GROUPS has answered; None where there is no stream. Raises what it was refused with."""
    if _is_missing(answer):
        return None
    if isinstance(answer, BaseException):
        raise answer
    found = cast(list[Any], answer)
    return [row if isinstance(row, dict) else dict(zip(row[::2], row[1::2], strict=True)) for row in found]


def _look(stream: str) -> Command:
    return ("XINFO", "GROUPS", stream)


def _behind(stream: str, last: bytes) -> Command:
    return ("XRANGE", stream, b"(" + last, "+", "COUNT", 1)


def _pending(stream: str, group: str) -> Command:
    return ("XPENDING", stream, group)


def _lost(answer: object) -> bool:
    return isinstance(answer, BaseException) and not _is_missing(answer)


def _is_missing(answer: object) -> bool:
    return isinstance(answer, ResponseError) and ("no such key" in str(answer) or "NOGROUP" in str(answer))


def _time(answer: object) -> datetime:
    seconds, microseconds = cast(Any, answer)
    return _EPOCH + timedelta(seconds=int(seconds), microseconds=int(microseconds))


def _first(page: object) -> bytes | None:
    entries = cast(list[Any], page)
    return entries[0][0] if entries else None


def _oldest(pending: object) -> bytes | None:
    """Of what a group was given and has not acknowledged; None also where the group is missing."""
    return None if isinstance(pending, ResponseError) else cast(Any, pending)[1]


def _has_pending(group: str, found: Rows | None) -> bool:
    return any(row[b"pending"] for row in found or () if row[b"name"] == group.encode())


def _last_delivered(group: str, found: Rows | None) -> bytes | None:
    """None where there is no stream, and so nothing that could still arrive."""
    if found is None:
        return None
    return next((row[b"last-delivered-id"] for row in found if row[b"name"] == group.encode()), _NOTHING_YET)
