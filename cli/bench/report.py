"""A run's result, for people and for programs. Pure."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cli.bench.measure import Ends, percentile
from cli.bench.plan import Plan
from cli.tool_commands import Via

_WORDS = {
    Via.BATCH: "over HTTP in batches",
    Via.POST: "over HTTP one by one",
    Via.ENGINE: "in one process, without HTTP",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What was asked for, and what came of it."""

    via: Via
    plan: Plan
    in_flight: int
    ends: Ends
    answered_ms: Sequence[float]  #: with `post`: from sending a request to the answer that its saga has ended
    otherwise: int  #: sagas that ended otherwise than their orders ask for
    interrupted: bool

    @property
    def sagas(self) -> int:
        """Sagas that were measured: all of the plan, unless somebody interrupted."""
        return self.ends.statuses.total()

    @property
    def per_s(self) -> float:
        """Sagas a second."""
        return self.sagas / max(self.ends.seconds, 0.001)  # Times are stored in milliseconds.


def as_json(result: Result) -> dict[str, Any]:
    """For programs. A run whose totals don't add up is a failure and has none."""
    took = result.ends.took_ms
    answered = result.answered_ms
    told = {f"answered_p{share}_ms": round(percentile(answered, share / 100), 1) for share in (50, 99) if answered}
    return {
        "sagas": result.sagas,
        "seconds": round(result.ends.seconds, 3),
        "sagas_per_s": round(result.per_s, 1),
        "p50_ms": round(percentile(took, 0.5), 1),
        "p99_ms": round(percentile(took, 0.99), 1),
        "completed": result.ends.statuses["completed"],
        "compensated": result.ends.statuses["compensated"],
        "via": result.via.value,
        **told,
        "in_flight": result.in_flight,
        "reject_ratio": result.plan.reject_ratio,
        "warm_up": result.plan.warm_up,
        "otherwise": result.otherwise,
        "interrupted": result.interrupted,
        "cpus": os.cpu_count(),
    }


def as_text(result: Result) -> str:
    """For people."""
    told = as_json(result)
    lines = [
        f"{told['sagas']:,} sagas in {told['seconds']:,.1f} s {_WORDS[result.via]}, {result.in_flight} in flight"
        f"{' (interrupted)' if result.interrupted else ''}",
        f"  {told['sagas_per_s']:,.0f} sagas/s   p50 {told['p50_ms']:,.0f} ms   p99 {told['p99_ms']:,.0f} ms",
        f"  {told['completed']:,} completed, {told['compensated']:,} compensated; the totals add up",
    ]
    if result.answered_ms:
        lines.append(f"  answered: p50 {told['answered_p50_ms']:,.0f} ms   p99 {told['answered_p99_ms']:,.0f} ms")
    if result.otherwise:
        lines.append(f"  {result.otherwise:,} ended otherwise than asked for: too slow for their deadlines?")
    return "\n".join(lines)
