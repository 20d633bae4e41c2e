"""The wire format: one golden entry of each kind, and what decoding survives."""

import contextlib
import json
import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.streams.envelope import (
    MAX_DEPTH,
    UNDATED,
    Undecodable,
    decode_command,
    decode_reply,
    encode_command,
    encode_event,
    encode_reply,
    failed_reply,
)
from sagas.messages import CommandMessage, EventData, EventMessage, Kind, Outcome, ReplyMessage
from sagas.sendable import MAX_SENT_BYTES, NotSendable

NOON = datetime(2026, 3, 1, 12, 0, 0, 250_000, tzinfo=UTC)
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

COMPLETED = EventData("order", 1, 4, "completed", "pack", 1, None)
COMPENSATION = CommandMessage(
    id="s1/charge-payment/compensation",
    type="payment.refund-payment",
    participant="payment",
    saga_id="s1",
    data={"customer_id": "älice", "amount": 1999},
    attempt=2,
    time=NOON + timedelta(seconds=3),
    first_time=NOON,
    expiry_time=NOON + timedelta(seconds=30),
    undoes="s1/charge-payment/action",
    undoes_time=NOON - timedelta(minutes=1),
    reply_to="saga.replies",
    traceparent=TRACE,
)


def test_a_command_on_the_wire() -> None:
    assert encode_command(COMPENSATION) == {
        "specversion": "1.0",
        "id": "s1/charge-payment/compensation",
        "type": "payment.refund-payment",
        "source": "/orchestrator",
        "subject": "s1",
        "time": "2026-03-01T12:00:03.250Z",
        "data": '{"customer_id":"älice","amount":1999}',
        "attempt": "2",
        "undoes": "s1/charge-payment/action",
        "undoestime": "2026-03-01T11:59:00.250Z",
        "replyto": "saga.replies",
        "firsttime": "2026-03-01T12:00:00.250Z",
        "expirytime": "2026-03-01T12:00:30.250Z",
        "traceparent": TRACE,
    }
    assert decode_command(encode_command(COMPENSATION), "payment") == COMPENSATION


def test_a_reply_on_the_wire() -> None:
    reply = ReplyMessage(
        command_id="s1/charge-payment/action",
        outcome=Outcome.REJECTED,
        data={"code": "declined", "detail": ""},
        attempt=3,
        type="payment.charge-payment.rejected",
        source="/participants/payment",
        time=NOON,
        traceparent=TRACE,
    )
    assert encode_reply(reply) == {
        "specversion": "1.0",
        "id": "s1/charge-payment/action/reply/3",
        "type": "payment.charge-payment.rejected",
        "source": "/participants/payment",
        "subject": "s1",
        "time": "2026-03-01T12:00:00.250Z",
        "data": '{"code":"declined","detail":""}',
        "causationid": "s1/charge-payment/action",
        "outcome": "rejected",
        "attempt": "3",
        "traceparent": TRACE,
    }
    assert decode_reply(encode_reply(reply)) == reply


def test_an_event_on_the_wire() -> None:
    event = EventMessage("s1/4/0", "saga.order.completed", "s1", NOON, COMPLETED)
    assert encode_event(event) == {
        "specversion": "1.0",
        "id": "s1/4/0",
        "type": "saga.order.completed",
        "source": "/orchestrator",
        "subject": "s1",
        "time": "2026-03-01T12:00:00.250Z",
        "data": '{"saga":"order","version":1,"revision":4,"status":"completed","step":"pack","attempt":1,"code":null}',
    }


def test_a_command_needs_only_id_type_and_data() -> None:
    command = decode_command({"id": "s1/reserve/action", "type": "inventory.reserve", "data": "{}"}, "inventory")
    assert (command.saga_id, command.step, command.kind, command.attempt) == ("s1", "reserve", Kind.ACTION, 1)
    assert (command.first_time, command.time, command.reply_to) == (UNDATED, UNDATED, "")
    assert command.first_time + timedelta(days=90) > NOON  # No overflow, and never expired.


def test_a_reply_needs_only_causationid_outcome_and_data() -> None:
    reply = decode_reply({"causationid": "s1/reserve/action", "outcome": "succeeded", "data": "{}", "own": "ignored"})
    assert reply == ReplyMessage("s1/reserve/action", Outcome.SUCCEEDED, {})


def test_times_of_any_zone_are_read_as_utc() -> None:
    fields = {"id": "a", "type": "b", "data": "{}", "firsttime": "2026-03-01T14:00:00.25+02:00"}
    assert decode_command(fields, "p").first_time == NOON
    elsewhere = NOON.astimezone(timezone(timedelta(hours=-7)))
    event = EventMessage("s1/1/0", "t", "s1", elsewhere, COMPLETED)
    assert encode_event(event)["time"] == "2026-03-01T12:00:00.250Z"


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("id", "", "field 'id' is missing"),
        ("id", "x" * 513, "longer than 512"),
        ("id", "a\x00b", "control characters"),
        ("id", "a\ud800b", "control characters"),
        ("type", "", "field 'type' is missing"),
        ("data", "", "field 'data' is missing"),
        ("data", "{", "no JSON"),
        ("data", "[]", "must be a JSON object"),
        ("data", "null", "must be a JSON object"),
        ("data", '{"a": NaN}', "NaN is no JSON"),
        ("data", '{"a": -Infinity}', "-Infinity is no JSON"),
        ("data", '{"a": 1e999}', "beyond a double's range"),
        ("data", '{"a": 9223372036854775808}', "beyond 64 bits"),
        ("data", '{"a": ' + "9" * 5_000 + "}", "beyond 64 bits"),
        ("data", '{"a": "\\ud800"}', "no JSON we can keep"),
        ("data", '{"a": "\\u0000"}', "a NUL character"),
        ("data", '{"\\\\\\u0000": 1}', "a NUL character"),
        ("data", '{"a":' * 10_000 + "1" + "}" * 10_000, "nested"),
        ("data", '{"a":' + "[" * MAX_DEPTH + "]" * MAX_DEPTH + "}", "nested deeper than 64"),
        ("data", '{"a":"' + "x" * MAX_SENT_BYTES + '"}', "larger than"),
        ("data", '{"a":"' + "ä" * (MAX_SENT_BYTES // 2) + '"}', "larger than"),
        ("attempt", "0", "whole number"),
        ("attempt", "-1", "whole number"),
        ("attempt", "two", "whole number"),
        ("attempt", "1" * 10, "whole number"),
        ("attempt", "²", "whole number"),
        ("firsttime", "yesterday", "RFC 3339"),
        ("firsttime", "2026-03-01T12:00:00", "no time zone"),
        ("expirytime", "0001-01-01T00:00:00+14:00", "RFC 3339"),
    ],
)
def test_what_is_no_command_is_refused_with_a_reason(field: str, value: str, reason: str) -> None:
    fields = {"id": "s1/a/action", "type": "p.a", "data": "{}"} | {field: value}
    with pytest.raises(Undecodable, match=reason):
        decode_command(fields, "p")


@pytest.mark.parametrize(
    "data",
    [
        '{"a":9223372036854775807,"b":-9223372036854775808}',
        '{"a":1e300,"b":0.1234567890123456789012345}',
        '{"a":"\\ud83d\\ude00 \\\\u0000"}',
        '{"a":' + "[" * (MAX_DEPTH - 1) + "]" * (MAX_DEPTH - 1) + "}",
        '{"a":[' + ",".join("{}" for _ in range(1_000)) + "]}",
    ],
)
def test_unusual_but_sound_data_is_accepted(data: str) -> None:
    assert decode_command({"id": "a", "type": "b", "data": data}, "p").data == json.loads(data)


def test_an_unknown_outcome_is_refused() -> None:
    with pytest.raises(Undecodable, match="succeeded, rejected or failed"):
        decode_reply({"causationid": "a", "outcome": "maybe", "data": "{}"})


@pytest.mark.parametrize("data", [{"a": math.nan}, {"a": NOON}, {"a": "x" * MAX_SENT_BYTES}])
def test_what_is_no_json_or_too_large_is_never_sent(data: dict[str, Any]) -> None:
    with pytest.raises(NotSendable):
        encode_command(replace(COMPENSATION, data=data))


def test_a_dead_command_is_answered_failed() -> None:
    entry = failed_reply(encode_command(COMPENSATION) | {"data": "{"}, "no JSON")
    assert entry is not None
    assert entry.stream == "saga.replies"
    assert decode_reply(entry.fields) == ReplyMessage(
        command_id=COMPENSATION.id,
        outcome=Outcome.FAILED,
        data={"code": "dead-letter", "detail": "no JSON"},
        attempt=2,
        type="payment.refund-payment.failed",
        source="/participants",
        traceparent=TRACE,
    )


@pytest.mark.parametrize("missing", ["id", "replyto"])
def test_a_dead_command_that_names_no_id_or_stream_is_not_answered(missing: str) -> None:
    fields = encode_command(COMPENSATION)
    del fields[missing]
    assert failed_reply(fields, "no JSON") is None


NAMES = st.sampled_from(sorted({*encode_command(COMPENSATION), "causationid", "outcome"}))
ANY_TEXT = st.text() | st.binary().map(lambda raw: raw.decode(errors="surrogateescape"))
JSON_TEXT = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda c: st.lists(c) | st.dictionaries(st.text(), c),
).map(json.dumps)
VALUES = ANY_TEXT | JSON_TEXT | st.sampled_from(["succeeded", "failed", "1", "2026-01-01T00:00:00Z", "{}"])


@given(st.dictionaries(NAMES | st.text(), VALUES))
def test_decoding_raises_undecodable_or_nothing(fields: dict[str, str]) -> None:
    sound = {"id": "a/b/action", "causationid": "a/b/action", "type": "t", "outcome": "failed", "data": "{}"}
    for candidate in (fields, sound | fields):
        for decode in (lambda f: decode_command(f, "p"), decode_reply):
            with contextlib.suppress(Undecodable):
                decode(candidate)
        entry = failed_reply(candidate, "because")
        if entry is not None:
            assert decode_reply(entry.fields).outcome is Outcome.FAILED


JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00")),
    lambda children: (
        st.lists(children) | st.dictionaries(st.text(st.characters(codec="ascii", min_codepoint=1)), children)
    ),
    max_leaves=20,
)
IDS = st.text(st.characters(codec="utf-8", categories=["L", "N", "P"]), min_size=1, max_size=60)
TIMES = st.datetimes(datetime(1971, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)).map(  # noqa: DTZ001 - bounds
    lambda moment: moment.replace(microsecond=moment.microsecond // 1_000 * 1_000)
)


@given(
    st.builds(
        CommandMessage,
        id=IDS,
        type=IDS,
        participant=st.just("p"),
        saga_id=IDS,
        data=st.dictionaries(st.text(st.characters(codec="ascii", min_codepoint=1)), JSON_VALUES),
        attempt=st.integers(1, 999_999_999),
        time=TIMES,
        first_time=TIMES,
        expiry_time=TIMES,
        undoes=st.none() | IDS,
        undoes_time=st.none() | TIMES,
        reply_to=st.just("") | IDS,
        traceparent=st.none() | st.just(TRACE),
    )
)
def test_every_command_survives_the_wire(command: CommandMessage) -> None:
    assert decode_command(encode_command(command), "p") == command


@given(
    st.builds(
        ReplyMessage,
        command_id=IDS,
        outcome=st.sampled_from(Outcome),
        data=st.dictionaries(st.text(st.characters(codec="ascii", min_codepoint=1)), JSON_VALUES),
        attempt=st.none() | st.integers(1, 999_999_999),
        type=IDS,
        source=IDS,
        time=st.none() | TIMES,
        traceparent=st.none() | st.just(TRACE),
    )
)
def test_every_reply_survives_the_wire(reply: ReplyMessage) -> None:
    assert decode_reply(encode_reply(reply)) == reply


def test_every_field_on_the_wire_is_documented() -> None:
    page = (Path(__file__).parents[2] / "docs" / "wire-protocol.md").read_text()
    reply = ReplyMessage("s1/a/action", Outcome.FAILED, {}, attempt=1, time=NOON, traceparent=TRACE)
    for field in {**encode_command(COMPENSATION), **encode_reply(reply)}:
        assert f"| `{field}` |" in page or f"| **`{field}`** |" in page, field
