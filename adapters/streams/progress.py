"""How far groups have been delivered: for each the first entry that its group has not been given yet."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias, cast

from redis.exceptions import ResponseError

from adapters.clock import Clock
from adapters.streams.connection import translating
from adapters.streams.ids import parse_id
from adapters.streams.pipeline import Command, Pipeline, answered

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NOTHING_YET = b"0-0"

Rows = Sequence[Mapping[bytes, Any]]  #: of a stream's groups
_Entry: TypeAlias = tuple[bytes | None, datetime]  # the entry's id, and the time on its server's clock


async def delivered_until(pipeline: Pipeline, groups: Mapping[str, str], clock: Clock) -> Mapping[str, datetime | None]:
    """See `adapters.bus.Bus`.

    A server's clock is compared with ours as it was when the question went out. So an answer that takes its time, or
    another server's that never comes, makes what is delivered seem less far than it is, and never further.
    """
    asked = clock.now()
    return _in_our_time(await _first_undelivered(pipeline, groups), asked)


async def settled_until(pipeline: Pipeline, groups: Mapping[str, str], clock: Clock) -> Mapping[str, datetime | None]:
    """See `adapters.bus.Bus`; the times as of `delivered_until`."""
    asked = clock.now()
    undelivered = await _first_undelivered(pipeline, groups)
    # In this order: what is delivered between the two looks was undelivered at the first one.
    pending = await _first_pending(pipeline, {stream: groups[stream] for stream in undelivered})
    found = {
        stream: (min((each for each in (entry_id, pending[stream]) if each), key=parse_id, default=None), time)
        for stream, (entry_id, time) in undelivered.items()
        if stream in pending
    }
    return _in_our_time(found, asked)


def _in_our_time(found: Mapping[str, _Entry], asked: datetime) -> Mapping[str, datetime | None]:
    return {
        stream: None if entry_id is None else _EPOCH + timedelta(milliseconds=parse_id(entry_id)[0]) - (time - asked)
        for stream, (entry_id, time) in found.items()
    }


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
    if _is_no_stream(answer):
        return None
    if isinstance(answer, BaseException):
        raise answer
    found = cast(list[Any], answer)
    return [row if isinstance(row, dict) else dict(zip(row[::2], row[1::2], strict=True)) for row in found]


async def _first_undelivered(pipeline: Pipeline, groups: Mapping[str, str]) -> Mapping[str, _Entry]:
    """By stream the id of that entry, None where there is none, and the time on its server's clock.

    A stream without its group has been delivered nothing: the group will be made again at id 0. One that can't be asked
    is missing. Raises `Unavailable` where none can be.
    """
    with translating():
        commands: list[Command] = [each for stream in groups for each in (_look(stream), ("TIME",))]
        answers = await pipeline.execute(commands)
        found = {
            stream: (_last_delivered(groups[stream], rows(answer)), _time(time))
            for stream, answer, time in zip(groups, answers[::2], answers[1::2], strict=True)
            if not (_lost(answer) or _lost(time))
        }
        begun = [(stream, last) for stream, (last, _) in found.items() if last is not None]
        pages = await pipeline.execute([_behind(*each) for each in begun]) if begun else []
        for (stream, _), page in zip(begun, pages, strict=True):
            if _lost(page):
                del found[stream]
            else:
                found[stream] = (_first(page), found[stream][1])
        if groups and not found:
            raise next(answer for answer in [*pages, *answers] if isinstance(answer, BaseException))
    return found


async def _first_pending(pipeline: Pipeline, groups: Mapping[str, str]) -> Mapping[str, bytes | None]:
    """By stream the id of the first entry that its group was given and has not acknowledged, None where there is none.

    One that can't be asked is missing.
    """
    with translating():
        answers = await pipeline.execute([("XPENDING", *each) for each in groups.items()]) if groups else []
    return {
        stream: None if isinstance(answer, ResponseError) else cast(Any, answer)[1]
        for stream, answer in zip(groups, answers, strict=True)
        if isinstance(answer, ResponseError) or not isinstance(answer, BaseException)
    }


def _look(stream: str) -> Command:
    return ("XINFO", "GROUPS", stream)


def _behind(stream: str, last: bytes) -> Command:
    return ("XRANGE", stream, b"(" + last, "+", "COUNT", 1)


def _lost(answer: object) -> bool:
    return isinstance(answer, BaseException) and not _is_no_stream(answer)


def _is_no_stream(answer: object) -> bool:
    return isinstance(answer, ResponseError) and "no such key" in str(answer)


def _time(answer: object) -> datetime:
    seconds, microseconds = cast(Any, answer)
    return _EPOCH + timedelta(seconds=int(seconds), microseconds=int(microseconds))


def _first(page: object) -> bytes | None:
    entries = cast(list[Any], page)
    return entries[0][0] if entries else None


def _has_pending(group: str, found: Rows | None) -> bool:
    return any(row[b"pending"] for row in found or () if row[b"name"] == group.encode())


def _last_delivered(group: str, found: Rows | None) -> bytes | None:
    """None where there is no stream, and so nothing that could still arrive."""
    if found is None:
        return None
    return next((row[b"last-delivered-id"] for row in found if row[b"name"] == group.encode()), _NOTHING_YET)
