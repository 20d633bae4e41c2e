"""Durations as people write them: `"500ms"`, `"10s"`, `"2m"`, `"1h"`, a `timedelta`, or a number of seconds."""

import math
import re
from datetime import timedelta

Duration = str | float | timedelta

_UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_WRITTEN = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)", re.ASCII)
WRITTEN_LIKE = "write it like '500ms', '10s', '2m', '1h' or '1d'"


def seconds(value: Duration) -> float:
    """The duration in seconds; `ValueError`, with what is accepted, for anything else."""
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, str) and (written := _WRITTEN.fullmatch(value.strip())):
        return float(written[1]) * _UNITS_S[written[2]]
    # Callers without a type checker can pass anything, and True is an int.
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return float(value)
    raise ValueError(f"{value!r} is not a duration: {WRITTEN_LIKE}, or give a timedelta or a number of seconds")
