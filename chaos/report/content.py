"""What a report says, as plain values: verdicts, tables, one saga's history. Both kinds of run make it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from chaos.faults import CATALOGUE
from chaos.matrix import Verdict, cells, places
from chaos.real.recovery import Cost, Recovery
from chaos.sim.nemesis import Event
from sagas import Saga


@dataclass(frozen=True, slots=True)
class Verdicts:
    """A table: rows are faults, columns are what they were aimed at."""

    title: str
    columns: Sequence[str]
    rows: Sequence[tuple[str, Sequence[tuple[Verdict, int] | None]]]  #: a cell: its verdict, how often it has struck


@dataclass(frozen=True, slots=True)
class History:
    """One saga's history, to be drawn."""

    saga_id: str
    ended: str
    events: Sequence[Event]


@dataclass(frozen=True, slots=True)
class Curves:
    """How a real run went."""

    throughput: Sequence[int]  #: sagas that ended in each second
    recoveries: Sequence[Recovery]  #: after each strike
    costs: Sequence[Cost] = ()  #: of each kind of fault


@dataclass(frozen=True, slots=True)
class Report:
    """Everything."""

    title: str
    held: bool
    repeat: str  #: the command that runs it again
    facts: Mapping[str, str]  #: seed, seconds, sagas, …
    violations: Sequence[str] = ()
    fired: Mapping[str, int] = field(default_factory=dict)
    never: Sequence[str] = ()
    invariants: Sequence[str] = ()  #: the user's own that were checked, too
    tables: Sequence[Verdicts] = ()
    history: History | None = None
    curves: Curves | None = None


def seconds_words(seconds: float | None) -> str:
    """How long something took that may never have come."""
    return "never" if seconds is None else f"{seconds:.1f} s"


def verdicts(saga: Saga, found: Mapping[int, tuple[Verdict, int]]) -> Verdicts:
    """The matrix of a saga; `found` has verdict and strikes of each of its cells, by position."""
    columns = places(saga)
    by_place = {(cell.place, cell.fault.name): found.get(position) for position, cell in enumerate(cells(saga))}
    return Verdicts(
        title=f"{saga.name}, version {saga.version}",
        columns=[f"{place.step} {place.kind}" for place in columns],
        rows=[(fault.name, [by_place.get((place, fault.name)) for place in columns]) for fault in CATALOGUE],
    )
