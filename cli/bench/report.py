"""A run's result, for people and for programs. Pure."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cli.bench.measure import Ends, percentile
from cli.bench.plan import Plan
from cli.tool_commands import Via

_BUSY = 0.8  #: the share of a core beyond which a load generator may be what is measured
_WORDS = {
    Via.BATCH: "over HTTP in batches",
    Via.POST: "over HTTP one by one",
    Via.ENGINE: "in one process, without HTTP",
}


@dataclass(frozen=True, slots=True)
class Load:
    """How sagas are started: so many in flight at a time, or so many in a second, whatever has become of the others."""

    via: Via
    in_flight: int  #: with a rate: of the sagas that are not measured
    rate: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What was asked for, and what came of it."""

    load: Load
    plan: Plan
    ends: Ends
    cpu_s: float  #: of the load generator's process while it measured; with `engine` that process is the whole system
    wall_s: float  #: how long it measured
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
    told: dict[str, Any] = {
        f"answered_p{share}_ms": round(percentile(answered, share / 100), 1) for share in (50, 99) if answered
    }
    if result.load.rate is not None:
        told |= {"offered_per_s": result.load.rate, "reached_per_s": round(result.per_s, 1)}
    whose = "process" if result.load.via is Via.ENGINE else "generator"
    told[f"{whose}_cpu_ms"] = round(result.cpu_s * 1_000 / result.sagas, 3)
    told[f"{whose}_busy"] = round(result.cpu_s / max(result.wall_s, 0.001), 3)
    return {
        "sagas": result.sagas,
        "seconds": round(result.ends.seconds, 3),
        "sagas_per_s": round(result.per_s, 1),
        "p50_ms": round(percentile(took, 0.5), 1),
        "p99_ms": round(percentile(took, 0.99), 1),
        "completed": result.ends.statuses["completed"],
        "compensated": result.ends.statuses["compensated"],
        "via": result.load.via.value,
        **told,
        "in_flight": result.load.in_flight,
        "reject_ratio": result.plan.reject_ratio,
        "products": result.plan.product_count,
        "warm_up": result.plan.warm_up,
        "otherwise": result.otherwise,
        "interrupted": result.interrupted,
        "cpus": os.cpu_count(),
    }


def as_text(result: Result) -> str:
    """For people."""
    told = as_json(result)
    load = result.load
    how = f"{load.in_flight} in flight" if load.rate is None else f"{load.rate:g} a second offered"
    lines = [
        f"{told['sagas']:,} sagas in {told['seconds']:,.1f} s {_WORDS[load.via]}, {how}"
        f"{' (interrupted)' if result.interrupted else ''}",
        f"  {told['sagas_per_s']:,.0f} sagas/s   p50 {told['p50_ms']:,.0f} ms   p99 {told['p99_ms']:,.0f} ms",
        f"  {told['completed']:,} completed, {told['compensated']:,} compensated; the totals add up",
    ]
    if result.answered_ms:
        lines.append(f"  answered: p50 {told['answered_p50_ms']:,.0f} ms   p99 {told['answered_p99_ms']:,.0f} ms")
    if load.via is not Via.ENGINE:
        lines.append(f"  the load generator took {told['generator_cpu_ms']:.2f} ms of CPU a saga")
        if told["generator_busy"] > _BUSY:
            lines.append(f"  and was busy for {told['generator_busy']:.0%} of the time: it may be what limits this")
    if result.otherwise:
        lines.append(f"  {result.otherwise:,} ended otherwise than asked for: too slow for their deadlines?")
    return "\n".join(lines)
