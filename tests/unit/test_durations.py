"""Durations as people write them."""

from datetime import timedelta
from typing import Any

import pytest

from sagas.durations import seconds


@pytest.mark.parametrize(
    ("written", "expected_s"),
    [
        ("500ms", 0.5),
        ("10s", 10),
        ("1.5s", 1.5),
        ("2m", 120),
        ("1h", 3600),
        ("1d", 86400),
        (" 10 s ", 10),
        (3, 3),
        (0.25, 0.25),
        (timedelta(minutes=1, milliseconds=5), 60.005),
    ],
)
def test_durations_are_read(written: Any, expected_s: float) -> None:
    assert seconds(written) == pytest.approx(expected_s)


@pytest.mark.parametrize(
    "wrong", ["", "10", "s", "-1s", "10 parsecs", "1h30m", True, None, float("nan"), float("inf"), [], "\u0661s"]
)
def test_anything_else_is_refused_with_what_is_accepted(wrong: Any) -> None:
    with pytest.raises(ValueError, match="is not a duration: write it like '500ms', '10s', '2m'"):
        seconds(wrong)
