"""What MongoDB, Redis and other languages can't hold is refused before it gets there."""

from typing import Any

import bson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sagas import NotStorable, check_storable


def nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    "value", [None, True, 0, 2**63 - 1, -(2**63), 1.5, "", "héllo ✓", [], {}, {"a": [{"b": None}]}, (1, 2), nested(32)]
)
def test_json_that_fits_is_storable(value: Any) -> None:
    check_storable(value)


@pytest.mark.parametrize(
    ("value", "path", "reason"),
    [
        (2**63, "", "64 bits"),
        ({"items": [{"n": 1}, {"n": -(2**63) - 1}]}, "/items/1/n", "64 bits"),
        ({"a": float("nan")}, "/a", "NaN"),
        ([float("inf")], "/0", "Infinity"),
        ({"$set": 1}, "/$set", "start with '\\$'"),
        ({"a": {"b.c": 1}}, "/a/b.c", "contain"),
        ({"a\0": 1}, "/a\0", "NUL"),
        ({"a": ["b\0"]}, "/a/0", "NUL"),
        ({"a": "é\0"}, "/a", "NUL"),
        ({1: 1}, "/1", "not a string"),
        ({"a/b~": {"c": 2**64}}, "/a~1b~0/c", "64 bits"),
        ({"a": "\ud800"}, "/a", "lone surrogate"),
        ({"\ud800": 1}, "/\\ud800", "lone surrogate"),
        ({"a": b"bytes"}, "/a", "bytes is not a JSON type"),
        ({"a": {1, 2}}, "/a", "set is not a JSON type"),
        (nested(33), "/0" * 32, "deeper than 32"),
    ],
)
def test_the_rest_is_refused_with_its_place(value: Any, path: str, reason: str) -> None:
    with pytest.raises(NotStorable, match=reason) as refused:
        check_storable(value)
    assert refused.value.path == path
    assert str(refused.value).startswith(path or "/")


def test_a_hostile_depth_is_refused_without_exhausting_the_stack() -> None:
    with pytest.raises(NotStorable, match="deeper"):
        check_storable(nested(100_000))


json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(codec=None)), inner, max_size=3),
    max_leaves=8,
)


@given(json_like)
def test_what_is_accepted_survives_bson(value: Any) -> None:
    try:
        check_storable(value)
    except NotStorable:
        return
    assert bson.decode(bson.encode({"value": value}))["value"] == value
