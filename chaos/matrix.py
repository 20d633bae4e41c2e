"""Every step of a saga, its action and what undoes it, under every fault: a table with a verdict for each.

A cell is green only if every invariant held *and* the fault has struck. What never struck proves nothing.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from chaos.faults import BY_NAME, CATALOGUE, Fault, Point, What
from chaos.invariants import Invariant
from chaos.sim.run import Result, run
from chaos.sim.world import Setup
from sagas import Saga


class Verdict(StrEnum):
    """What a cell says."""

    GREEN = "green"  #: it struck, and everything held
    RED = "red"  #: something did not hold
    GREY = "grey"  #: it never struck


@dataclass(frozen=True, slots=True)
class Place:
    """A row of the matrix: one command of a saga."""

    step: str
    kind: str  #: action, compensation or revoke


@dataclass(frozen=True, slots=True)
class Cell:
    """One fault at one place, and the seeds that it was tried with."""

    place: Place
    fault: Fault
    fired: int = 0
    sagas: int = 0
    failed: Result | None = None  #: the first run in which something did not hold

    @property
    def verdict(self) -> Verdict:
        """What to make of it."""
        if self.failed is not None:
            return Verdict.RED
        return Verdict.GREEN if self.fired else Verdict.GREY


def places(saga: Saga) -> list[Place]:
    """Every command that can be sent for the saga: behind the pivot nothing is undone."""
    found = []
    for index, step in enumerate(saga.steps):
        found.append(Place(step.name, "action"))
        if index <= saga.pivot:
            found.append(Place(step.name, "revoke" if step.undo is None else "compensation"))
    return found


def faults_at(saga: Saga, place: Place) -> list[Fault]:
    """The faults that can strike there. A saga is inserted once, with its first command."""
    first = (place.step, place.kind) == (saga.steps[0].name, "action")
    elsewhere = set() if first else {Point.INSERT}
    elsewhere |= {Point.HANDLE} if place.kind == "revoke" else set()  # It has no handler.
    return [fault for fault in CATALOGUE if fault.point not in elsewhere]


def setup_for(saga: Saga, place: Place, fault: Fault) -> Setup:
    """A run that gets to the place, with the fault aimed at it."""
    setup = _leading_to(saga, place)
    aimed = [fault.aimed(place.step, place.kind)]
    if fault.point is Point.RESCHEDULE:  # A wake-up moves where a command is late.
        aimed.append(BY_NAME["lose command"].aimed(place.step, place.kind))
    if fault.point is Point.LOAD:  # A saga is loaded by whoever has not written it last.
        setup = replace(setup, orchestrators=5, sagas=8)
    return replace(setup, faults=(*setup.faults, *aimed))


def _leading_to(saga: Saga, place: Place) -> Setup:
    """Without a fault: the compensation of a step is reached where a later one says no, else where it stays silent."""
    setup = Setup(saga=saga, sagas=2, begun_within_s=2.0)
    if place.kind == "action":
        return setup
    index = saga.index(place.step)
    if place.kind == "compensation" and index < saga.pivot:
        return replace(setup, rejecting=frozenset({saga.steps[index + 1].name}))
    lost = Point.REPLY if place.kind == "compensation" else Point.COMMAND
    step = saga.steps[index]
    silent_s = step.timeout_s * (step.retry.attempts + 1)
    faults = (Fault(What.LOSE, lost, step=place.step, kind="action"),)
    return replace(setup, faults=faults, troubled_s=setup.troubled_s + silent_s)


def cells(saga: Saga) -> Iterator[Cell]:
    """The matrix, before anything has been run."""
    for place in places(saga):
        for fault in faults_at(saga, place):
            yield Cell(place, fault)


def tried(saga: Saga, cell: Cell, seeds: Sequence[int], invariants: Sequence[Invariant] = ()) -> Cell:
    """The cell with what came of it; ends at the first run in which something does not hold."""
    setup = replace(setup_for(saga, cell.place, cell.fault), invariants=tuple(invariants))
    aimed = cell.fault.aimed(cell.place.step, cell.place.kind)
    for seed in seeds:
        result = run(setup, seed)
        fired = cell.fired + result.fired.get(aimed, 0)
        cell = replace(cell, fired=fired, sagas=cell.sagas + len(result.evidence.sagas))
        if not result.held:
            return replace(cell, failed=result)
    return cell
