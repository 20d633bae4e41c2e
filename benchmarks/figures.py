"""Numbers of the page as people read them: medians, their spread, the course of something."""

from collections.abc import Sequence
from statistics import linear_regression, median
from typing import Any

Found = dict[str, Any]


def values(runs: Sequence[Found], key: str) -> list[float]:
    """Of the runs that came to it."""
    return [float(run[key]) for run in runs if key in run]


def middle(runs: Sequence[Found], key: str) -> float | None:
    """The median, or None where no run came to it."""
    found = values(runs, key)
    return median(found) if found else None


def spread(found: Sequence[float], form: str | None = None) -> str:
    """The median (least to most), or a dash."""

    def told(value: float) -> str:
        return format(value, form) if form else shown(value)

    if not found:
        return "-"
    least, most = told(min(found)), told(max(found))
    return told(median(found)) if len(found) == 1 else f"{told(median(found))} ({least} to {most})"


def shown(value: float) -> str:
    """With as many digits as mean something."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 1 else f"{value:.2f}"


def course(samples: Sequence[Found], name: str) -> str:
    """First, last and most MiB of a process, and what the second half added a minute, as cells of a table."""
    seen = [sample[name] for sample in samples if name in sample]
    told = f"{seen[0]:,.0f}, {seen[-1]:,.0f}, {max(seen):,.0f}" if seen else "-"
    return f"{told} | {_slope(samples, name)}"


def _slope(samples: Sequence[Found], name: str) -> str:
    """Least squares over the second half, when caches are full."""
    late = [(sample["at_s"] / 60, sample[name]) for sample in samples[len(samples) // 2 :] if name in sample]
    return f"{linear_regression(*zip(*late, strict=True)).slope:+.2f}" if len(late) > 1 else "-"


def machine(told: Found) -> str:
    """What it was measured on."""
    system = told["system"].partition("-")[0]  # what a kernel's builder appends says nothing to anybody else
    server = told.get("redis_server", "valkey").capitalize()  # results of before have no name: all were Valkey's
    built = told.get("python_loop_us")  # results of before don't have it
    python = told["python"] + (f" (a thousand small objects made and asked: {built} µs)" if built else "")
    return (
        f"{told['cpus']} cores ({told['cpu']}), {told['memory_gib']} GiB, {system}, "
        f"Python {python}, MongoDB {told['mongodb']}, {server} {told['redis']}. "
        "Everything ran on this machine, the load generator too; "
        f"its load was {told['load_before'][0]} before."
        + (" All of it had real-time priority over whatever else ran there." if told.get("real_time") else "")
    )
