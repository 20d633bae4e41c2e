"""How long a failed command waits: a value without clock and randomness."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sagas import InvalidDefinition, Retry


def test_waits_double_up_to_the_longest_and_jitter_takes_at_most_half() -> None:
    retry = Retry(attempts=9, first_s=1, factor=2, max_s=60)
    for attempt, backoff_s in enumerate([1, 2, 4, 8, 16, 32, 60, 60], start=1):
        assert backoff_s / 2 <= retry.delay_s(attempt, "id") <= backoff_s


def test_the_same_failure_waits_the_same_and_others_wait_differently() -> None:
    retry = Retry()
    assert retry.delay_s(1, "s1/charge/action") == retry.delay_s(1, "s1/charge/action")
    assert len({retry.delay_s(1, f"s{number}/charge/action") for number in range(100)}) > 90
    assert len({retry.delay_s(attempt, "s1") for attempt in range(7, 107)}) > 90


@given(st.integers(1, 10**9), st.text(max_size=20))
def test_no_attempt_is_too_many(attempt: int, key: str) -> None:
    assert 30 <= Retry().delay_s(attempt + 6, key) <= 60


@pytest.mark.parametrize(
    "wrong",
    [
        {"attempts": 0},
        {"attempts": 1001},
        {"attempts": 1.5},
        {"attempts": True},
        {"first_s": -1},
        {"first_s": 61},
        {"max_s": float("inf")},
        {"first_s": float("nan")},
        {"factor": 0.5},
        {"factor": float("inf")},
    ],
)
def test_what_never_stops_or_never_waits_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidDefinition, match="Retry"):
        Retry(**wrong)
