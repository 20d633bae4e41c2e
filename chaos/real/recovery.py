"""How soon a real run goes on after each strike. Pure: strikes and sagas in, seconds out."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Any

from chaos.faults import Fault
from chaos.real.plan import Strike


@dataclass(frozen=True, slots=True)
class Recovery:
    """What one strike cost."""

    fault: Fault
    who: str
    at_s: float  #: since the load began
    seconds: float | None  #: until a saga was completed that began after it; None: none was
    standstill_s: float  #: the longest time in which no saga ended, from it to the next strike


@dataclass(frozen=True, slots=True)
class Cost:
    """What all strikes of one kind cost."""

    kind: str
    strikes: int
    median_s: float | None  #: of `seconds`, of those after which a saga was completed
    worst_s: float | None  #: None: after one of them none was
    standstill_s: float  #: the longest


def recoveries(strikes: Sequence[Strike], begun: float, sagas: Iterable[Mapping[str, Any]]) -> list[Recovery]:
    """For each strike, in their order. `begun` is seconds since 1970, as the strikes' times are."""
    ended = [saga for saga in sagas if saga["ended_at"]]
    ends = sorted(saga["ended_at"].timestamp() for saga in ended)
    done = [
        (saga["created_at"].timestamp(), saga["ended_at"].timestamp())
        for saga in ended
        if saga["status"] == "completed"
    ]
    nexts = [*(strike.at for strike in strikes[1:]), max(ends, default=0.0)]
    return [
        Recovery(
            strike.fault, strike.who, strike.at - begun, _seconds(strike.at, done), _standstill(strike.at, to, ends)
        )
        for strike, to in zip(strikes, nexts, strict=bool(strikes))
    ]


def costs(found: Iterable[Recovery]) -> list[Cost]:
    """By kind of fault, the most expensive first."""
    kinds: defaultdict[str, list[Recovery]] = defaultdict(list)
    for each in found:
        kinds[each.fault.name].append(each)
    made = [_cost(kind, group) for kind, group in kinds.items()]
    return sorted(made, key=lambda cost: (cost.worst_s is not None, -(cost.worst_s or 0.0)))


def _cost(kind: str, group: Sequence[Recovery]) -> Cost:
    took = [each.seconds for each in group if each.seconds is not None]
    return Cost(
        kind=kind,
        strikes=len(group),
        median_s=median(took) if took else None,
        worst_s=max(took) if len(took) == len(group) else None,
        standstill_s=max(each.standstill_s for each in group),
    )


def _seconds(at: float, done: Iterable[tuple[float, float]]) -> float | None:
    return min((ended - at for created, ended in done if created > at), default=None)


def _standstill(at: float, to: float, ends: Sequence[float]) -> float:
    within = ends[bisect_right(ends, at) : bisect_right(ends, to)]
    return max(later - earlier for earlier, later in pairwise([at, *within, max(at, to)]))
