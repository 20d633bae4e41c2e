"""Messages to stream fields and back: the wire format of docs/wire-protocol.md, and nothing else.

Pure functions; they run once per message. Decoding raises `Undecodable` and never anything else, whatever the
bytes: a hostile or broken entry must end as a dead letter, not as a crash. What decodes can be stored in MongoDB
and encoded again (no NaN, no integer beyond 64 bits, no lone surrogate, bounded size and depth).
"""

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NoReturn, TypeVar

from adapters.bus import Entry
from sagas.messages import CommandMessage, EventData, EventMessage, Outcome, ReplyMessage
from sagas.sendable import ENCODER, MAX_SENT_BYTES, byte_length, text_of

MAX_DEPTH = 64  #: of `data`; MongoDB refuses documents nested deeper than 100
MAX_ID_CHARS = 512  #: of ids, types and stream names
#: What a command without `firsttime` counts as: never too old to be handled.
UNDATED = datetime(9999, 1, 1, tzinfo=UTC)

T = TypeVar("T")

_SPEC_VERSION = "1.0"
_INT64 = range(-(2**63), 2**63)
#: Long digits, large exponents, escaped surrogates, NUL: only then is a second, careful look at the text needed.
_SUSPECT = re.compile(r"\d{19}|[eE]\+?\d{3}|\\u[dD][89a-fA-F]|\\u0000")
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")


class Undecodable(Exception):
    """The entry is not a message of ours. The text says what is wrong, and goes to the dead letters with it."""


def encode_command(message: CommandMessage) -> dict[str, str]:
    """The fields of one sending of a command."""
    fields = {
        "specversion": _SPEC_VERSION,
        "id": message.id,
        "type": message.type,
        "source": "/orchestrator",
        "subject": message.saga_id,
        "time": time_text(message.time),
        "data": text_of(message.data),
        "attempt": str(message.attempt),
        "firsttime": time_text(message.first_time),
        "expirytime": time_text(message.expiry_time),
    }
    if message.reply_to:
        fields["replyto"] = message.reply_to
    if message.undoes is not None:
        fields["undoes"] = message.undoes
    if message.undoes_time is not None:
        fields["undoestime"] = time_text(message.undoes_time)
    if message.traceparent:
        fields["traceparent"] = message.traceparent
    return fields


def encode_reply(message: ReplyMessage) -> dict[str, str]:
    """The fields of a reply."""
    fields = {
        "specversion": _SPEC_VERSION,
        "id": f"{message.command_id}/reply/{message.attempt or 1}",
        "type": message.type or f"reply.{message.outcome.value}",
        "source": message.source or "/participants",
        "subject": message.saga_id,
        "data": text_of(message.data),
        "causationid": message.command_id,
        "outcome": message.outcome.value,
    }
    if message.attempt is not None:
        fields["attempt"] = str(message.attempt)
    if message.time is not None:
        fields["time"] = time_text(message.time)
    if message.traceparent:
        fields["traceparent"] = message.traceparent
    return fields


def encode_event(message: EventMessage) -> dict[str, str]:
    """The fields of an event."""
    return {
        "specversion": _SPEC_VERSION,
        "id": message.id,
        "type": message.type,
        "source": "/orchestrator",
        "subject": message.saga_id,
        "time": time_text(message.time),
        "data": _event_text(message.data),
    }


def decode_command(fields: Mapping[str, str], participant: str) -> CommandMessage:
    """Read a command; only `id`, `type` and `data` are required."""
    command_id = required(fields, "id")
    first_time = _time(fields, "firsttime") or _time(fields, "time") or UNDATED
    return CommandMessage(
        id=command_id,
        type=required(fields, "type"),
        participant=participant,
        saga_id=optional(fields, "subject") or command_id.split("/", 1)[0],
        data=json_data(fields),
        attempt=_attempt(fields) or 1,
        time=_time(fields, "time") or first_time,
        first_time=first_time,
        expiry_time=_time(fields, "expirytime") or UNDATED,
        undoes=optional(fields, "undoes"),
        undoes_time=_time(fields, "undoestime"),
        reply_to=optional(fields, "replyto") or "",
        traceparent=optional(fields, "traceparent"),
    )


def decode_reply(fields: Mapping[str, str]) -> ReplyMessage:
    """Read a reply; only `causationid`, `outcome` and `data` are required."""
    command_id = required(fields, "causationid")
    try:
        outcome = Outcome(required(fields, "outcome"))
    except ValueError:
        raise Undecodable("field 'outcome' must be succeeded, rejected or failed") from None
    return ReplyMessage(
        command_id=command_id,
        outcome=outcome,
        data=json_data(fields),
        attempt=_attempt(fields),
        type=optional(fields, "type") or "",
        source=optional(fields, "source") or "",
        time=_time(fields, "time"),
        traceparent=optional(fields, "traceparent"),
    )


def failed_reply(fields: Mapping[str, str], reason: str) -> Entry | None:
    """The answer to a command that became a dead letter; `None` where its `id` or `replyto` cannot be read."""
    command_id, reply_to = _readable(optional, fields, "id"), _readable(optional, fields, "replyto")
    if command_id is None or reply_to is None:
        return None
    reply = ReplyMessage(
        command_id=command_id,
        outcome=Outcome.FAILED,
        data={"code": "dead-letter", "detail": reason[:1_000]},
        attempt=_readable(_attempt, fields, "attempt") or 1,
        type=f"{_readable(optional, fields, 'type') or 'command'}.{Outcome.FAILED.value}"[-MAX_ID_CHARS:],
        traceparent=_readable(optional, fields, "traceparent"),
    )
    return Entry(reply_to, encode_reply(reply))


def required(fields: Mapping[str, str], name: str) -> str:
    """The text of a field; raises `Undecodable` where it is missing or malformed."""
    value = optional(fields, name)
    if value is None:
        raise Undecodable(f"field '{name}' is missing")
    return value


def optional(fields: Mapping[str, str], name: str) -> str | None:
    """The text of a field, None without one; raises `Undecodable` where it is malformed."""
    value = fields.get(name)
    if not value:
        return None
    if len(value) > MAX_ID_CHARS:
        raise Undecodable(f"field '{name}' is longer than {MAX_ID_CHARS} characters")
    if not value.isprintable():
        raise Undecodable(f"field '{name}' has control characters")
    return value


def _readable(read: Callable[[Mapping[str, str], str], T | None], fields: Mapping[str, str], name: str) -> T | None:
    try:
        return read(fields, name)
    except Undecodable:
        return None


def _attempt(fields: Mapping[str, str], name: str = "attempt") -> int | None:
    text = fields.get(name)
    if not text:
        return None
    if len(text) > 9 or not (text.isascii() and text.isdigit()) or text == "0" * len(text):
        raise Undecodable(f"field '{name}' must be a whole number from 1")
    return int(text)


@lru_cache(maxsize=1_024)  # The messages of one batch have few times between them.
def time_text(moment: datetime) -> str:
    """RFC 3339 in UTC with milliseconds."""
    if moment.tzinfo is not UTC:
        moment = moment.astimezone(UTC)
    return f"{moment.isoformat(timespec='milliseconds')[:-6]}Z"


def _time(fields: Mapping[str, str], name: str) -> datetime | None:
    text = fields.get(name)
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            raise Undecodable(f"field '{name}' has no time zone")
        return moment if moment.tzinfo is UTC else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise Undecodable(f"field '{name}' must be an RFC 3339 time") from None


@lru_cache(maxsize=1_024)  # Sagas that come to the same point say the same, and most do.
def _event_text(data: EventData) -> str:
    return text_of(data._asdict())


def json_data(fields: Mapping[str, str]) -> dict[str, Any]:
    """The JSON object in `data`; raises `Undecodable`."""
    text = fields.get("data")
    if not text:
        raise Undecodable("field 'data' is missing")
    if byte_length(text) > MAX_SENT_BYTES:
        raise Undecodable(f"field 'data' is larger than {MAX_SENT_BYTES} bytes")
    value = _parse(text)
    if not isinstance(value, dict):
        raise Undecodable("field 'data' must be a JSON object")
    return value


def _parse(text: str) -> object:
    suspect = _SUSPECT.search(text) is not None
    try:
        value: object = (_CAREFUL if suspect else _DECODER).decode(text)
        # Escaped halves of a surrogate pair decode, but neither MongoDB nor UTF-8 can hold them.
        if suspect:
            ENCODER.encode(value).encode()
        if suspect and _NUL.search(text):
            raise ValueError("a NUL character")
    except (ValueError, RecursionError) as error:  # JSONDecodeError and UnicodeEncodeError are ValueErrors.
        raise Undecodable(f"field 'data' is no JSON we can keep: {_short(error)}") from None
    if text.count("{") + text.count("[") > MAX_DEPTH and _deeper_than(value, MAX_DEPTH):
        raise Undecodable(f"field 'data' is nested deeper than {MAX_DEPTH}")
    return value


def _deeper_than(value: object, depth: int) -> bool:
    level: list[object] = [value]
    for _ in range(depth):
        level = [child for parent in level for child in _children(parent)]
        if not level:
            return False
    return any(isinstance(node, (dict, list)) for node in level)


def _children(node: object) -> list[object]:
    if isinstance(node, dict):
        return list(node.values())
    return node if isinstance(node, list) else []


def _short(error: BaseException) -> str:
    return ("nested too deeply" if isinstance(error, RecursionError) else str(error))[:200]


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")


def _small_int(text: str) -> int:
    if len(text) > 20 or (number := int(text)) not in _INT64:
        raise ValueError("an integer beyond 64 bits")
    return number


def _finite(text: str) -> float:
    number = float(text)
    if number - number != 0:
        raise ValueError("a number beyond a double's range")
    return number


# Made once: `json.loads` makes a new decoder for each call that has any option.
_DECODER = json.JSONDecoder(parse_constant=_refuse)
_CAREFUL = json.JSONDecoder(parse_constant=_refuse, parse_int=_small_int, parse_float=_finite)
