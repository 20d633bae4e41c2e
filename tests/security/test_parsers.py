"""Whatever bytes come in, a parser says no in its own words: nothing else ever comes out of one.

500 inputs each, with `SAGA_SOAK=1` 100,000. Hypothesis prints how to repeat what it finds.
"""

import contextlib
import json
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from adapters.streams.envelope import Undecodable, decode_command, decode_reply, failed_reply
from adapters.streams.published import decode_published, type_of
from orchestrator.api import headers
from orchestrator.api.body import parse_json
from orchestrator.api.listing import ListQuery, read_cursor
from orchestrator.api.problems import Problem
from orchestrator.api.starts import StartFactory
from orchestrator.keys import InvalidKeys, KeyRing, parse_keys
from sagas import Definitions
from sagas.order import order
from support.fuzzing import SOAK

many = settings(
    max_examples=100_000 if SOAK else 500,
    deadline=None,
    derandomize=not SOAK,
    print_blob=True,
    suppress_health_check=list(HealthCheck),
)

SYNTAX = b'{}[]",:\\u0d8.eE+-0123456789truefalsnNIiy \n\t\x00\xff\xef\xbb\xbf$'
TOKENS = st.sampled_from([bytes([one]) for one in SYNTAX])
BYTES = st.binary(max_size=400) | st.lists(TOKENS, max_size=200).map(b"".join)
TEXT = BYTES.map(lambda raw: raw.decode("utf-8", "surrogateescape")) | st.text(max_size=300)
JSON: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
FIELDS = st.sampled_from(
    [
        *("id", "type", "data", "time", "attempt", "firsttime", "expirytime", "undoes", "undoestime", "replyto"),
        *("causationid", "outcome", "subject", "source", "traceparent", "specversion", "timestamp"),
    ]
)
ENTRIES = st.dictionaries(FIELDS | st.text(max_size=8), TEXT | JSON.map(json.dumps) | st.sampled_from(["1", "failed"]))
FACTORY = StartFactory(Definitions([order]), lambda: "id")
NAMES = ("idempotency-key", "prefer", "if-match", "if-none-match", "traceparent")


@pytest.mark.timeout(7_200 if SOAK else 120)
@given(BYTES)
@many
def test_a_body(raw: bytes) -> None:
    _only(Problem, lambda: parse_json(raw))


@pytest.mark.timeout(7_200 if SOAK else 120)
@given(JSON | st.builds(lambda data: {"saga": "order", "data": data}, JSON))
@many
def test_a_request_to_start(body: Any) -> None:
    _only(Problem, lambda: FACTORY.make(body, key=None, traceparent=None))


@pytest.mark.timeout(7_200 if SOAK else 120)
@given(ENTRIES)
@many
def test_an_entry_of_a_stream(fields: dict[str, str]) -> None:
    _only(Undecodable, lambda: decode_command(fields, "inventory"))
    _only(Undecodable, lambda: decode_reply(fields))
    _only(Undecodable, lambda: decode_published(fields))
    _only(Undecodable, lambda: type_of(fields))
    failed_reply(fields, "why")


@pytest.mark.timeout(7_200 if SOAK else 120)
@given(TEXT)
@many
def test_a_cursor_and_every_other_part_of_a_query(text: str) -> None:
    _only(Problem, lambda: read_cursor(text))
    for name in ("saga", "status", "since", "q", "limit", "cursor"):
        _only(ValidationError, partial(_query, name, text), Problem)


def _query(name: str, text: str) -> object:
    return ListQuery.model_validate({name: text}).to_query()


@pytest.mark.timeout(7_200 if SOAK else 120)
@given(st.lists(st.tuples(st.sampled_from(NAMES), st.text(st.characters(max_codepoint=255), max_size=80)), max_size=6))
@many
def test_headers(pairs: list[tuple[str, str]]) -> None:
    fields = headers.Fields([(name.encode(), value.encode("latin-1")) for name, value in pairs])
    _only(Problem, lambda: headers.idempotency_key(fields))
    _only(Problem, lambda: headers.if_match(fields))
    headers.wait_s(fields, 10.0)
    headers.matches(fields, '"1"')
    headers.traceparent(fields)


@pytest.mark.timeout(7_200 if SOAK else 120)
@given(TEXT | st.text("web:0123456789abcdef+,#\nread", max_size=200))
@many
def test_a_list_of_keys_and_a_key(text: str) -> None:
    _only(InvalidKeys, lambda: parse_keys(text))
    known = KeyRing(parse_keys(f"web:{'0' * 64}:read"))
    assert known.find(text.encode(errors="replace").decode()) is None


def _only(allowed: type[Exception], parse: Callable[[], object], *more: type[Exception]) -> None:
    """The call returns, or raises what it may."""
    with contextlib.suppress(allowed, *more):
        parse()


def test_what_a_parser_lets_through_can_be_stored_and_sent_again() -> None:
    command = decode_command({"id": "a/b/action", "type": "x.y", "data": '{"n": 9223372036854775807}'}, "x")
    assert command.data == {"n": 2**63 - 1}
    assert command.first_time <= datetime.max.replace(tzinfo=UTC)
