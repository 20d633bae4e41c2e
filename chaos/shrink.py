"""Makes a run that fails smaller, as long as it fails in the same way: fewer faults, fewer sagas, less of everything.

Greedy, as in delta debugging (Zeller 2002): a simpler setup that still violates one of the same invariants takes the
place of the setup. The seed stays, so what is left still is one run, to the last event.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from chaos.sim.run import Result, run
from chaos.sim.world import Setup

MOST_RUNS = 200


def shrink(failed: Result, most_runs: int = MOST_RUNS) -> Result:
    """The smallest run that was found."""
    invariants = {violation.invariant for violation in failed.violations}
    smallest, runs = failed, 0
    simpler = _simpler(smallest.setup)
    while runs < most_runs and (setup := next(simpler, None)) is not None:
        runs += 1
        result = run(setup, failed.seed)
        if invariants & {violation.invariant for violation in result.violations}:
            smallest, simpler = result, _simpler(setup)
    return smallest


def _simpler(setup: Setup) -> Iterator[Setup]:
    """Setups with a little less of something, the largest steps first."""
    yield from _with_fewer_faults(setup)
    yield from _with_a_no_instead(setup)
    yield from (replace(setup, sagas=fewer) for fewer in _halves(setup.sagas) if fewer < setup.sagas)
    yield from (_with(setup, name, value) for name, value in _QUIET.items() if getattr(setup, name) != value)
    yield from (_with(setup, name, 1) for name in ("orchestrators", "instances") if getattr(setup, name) > 1)
    yield from _with_rarer_faults(setup)


#: what a run can do without
_QUIET: Mapping[str, Any] = {
    "newer": None,
    "interfering": False,
    "cancel_rate": 0.0,
    "reject_rate": 0.0,
    "skew_s": 0.0,
    "rejecting": frozenset(),
    "stock": None,
}


def _with(setup: Setup, name: str, value: Any) -> Setup:
    return replace(setup, **{name: value})


def _with_fewer_faults(setup: Setup) -> Iterator[Setup]:
    faults = tuple(setup.faults)
    for size in _halves(len(faults)):
        for first in range(0, len(faults), size):
            yield replace(setup, faults=(*faults[:first], *faults[first + size :]))


def _with_a_no_instead(setup: Setup) -> Iterator[Setup]:
    """No faults at all, and one step that says no: what is wrong with the saga itself shows in a few lines."""
    if setup.faults:
        for step in setup.saga.steps[: setup.saga.pivot + 1]:
            yield replace(setup, faults=(), rejecting=frozenset({step.name}))


def _with_rarer_faults(setup: Setup) -> Iterator[Setup]:
    faults = tuple(setup.faults)
    for position, fault in enumerate(faults):
        if fault.times is None or fault.times > 1:
            yield replace(setup, faults=(*faults[:position], replace(fault, times=1), *faults[position + 1 :]))


def _halves(number: int) -> list[int]:
    """Half of it, half of that, and so on down to 1; of 1 itself, of 0 nothing."""
    halves = [number] if number == 1 else []
    while number > 1:
        number = (number + 1) // 2
        halves.append(number)
    return halves
