"""Many runs at once, on every core: a worker is given names and numbers, and gives back a summary.

A run that fails is repeated by whoever asked, from its seed: nothing but its seed has to travel.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from typing import TypeVar

from chaos.invariants import found
from chaos.matrix import Cell, cells, tried
from chaos.scenario import Scenario
from chaos.sim.run import Result, run
from chaos.sim.world import Setup
from chaos.swarm import swarm
from sagas import Saga
from sagas.imports import named

GivenT = TypeVar("GivenT")
MadeT = TypeVar("MadeT")

CHUNK = 10  #: runs that a worker does before it reports


@dataclass(frozen=True, slots=True)
class Summary:
    """What came of some runs."""

    runs: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    fired: Counter[str] = field(default_factory=Counter)
    wanted: frozenset[str] = frozenset()  #: the faults that should have struck
    messages: int = 0
    failed: tuple[tuple[int, str], ...] = ()  #: seeds, each with its first violation

    def __add__(self, other: "Summary") -> "Summary":
        return Summary(
            self.runs + other.runs,
            self.statuses + other.statuses,
            self.fired + other.fired,
            self.wanted | other.wanted,
            self.messages + other.messages,
            (*self.failed, *other.failed),
        )

    @property
    def never(self) -> list[str]:
        """The faults that never struck."""
        return sorted(self.wanted - self.fired.keys())

    @property
    def held(self) -> bool:
        """Whether every invariant held, and every fault has struck."""
        return not self.failed and not self.never


def setup_of(saga: str, scenario: Scenario | None, seed: int, invariants: Sequence[str] = ()) -> Setup:
    """The setup of a run: the scenario's, or without one that of the seed; with invariants that are named beside it.

    Raises `InvalidDefinition`, `InvalidScenario`.
    """
    definition = named(saga, Saga)
    setup = swarm(definition, seed) if scenario is None else scenario.setup(definition)
    return replace(setup, invariants=found(invariants, setup.invariants))


def runs(
    saga: str,
    scenario: Scenario | None,
    seeds: Iterable[int],
    *,
    invariants: Sequence[str] = (),
    processes: int | None = None,
) -> Iterator[Summary]:
    """Summaries of chunks of seeds, as they come in."""
    chosen = list(seeds)
    chunks = [chosen[first : first + CHUNK] for first in range(0, len(chosen), CHUNK)]
    yield from _everywhere(partial(_some, saga, scenario, invariants), chunks, processes)


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of a cell of a saga's matrix."""

    saga: str
    position: int
    fired: int
    sagas: int
    failed_seed: int | None


def matrix(saga: str, seeds: int, *, invariants: Sequence[str] = (), processes: int | None = None) -> Iterator[Tried]:
    """Each cell of the saga's matrix, as it comes in."""
    positions = range(sum(1 for _ in cells(named(saga, Saga))))
    yield from _everywhere(partial(_cell, saga, seeds, invariants), positions, processes)


def _some(saga: str, scenario: Scenario | None, invariants: Sequence[str], seeds: Sequence[int]) -> Summary:
    wanted = frozenset[str]() if scenario is None else frozenset(strike.fault for strike in scenario.faults)
    total = Summary(wanted=wanted)
    for seed in seeds:
        total += _summary(run(setup_of(saga, scenario, seed, invariants), seed))
    return total


def _summary(result: Result) -> Summary:
    return Summary(
        runs=1,
        statuses=result.statuses,
        fired=Counter({fault.name: times for fault, times in result.fired.items()}),
        messages=sum(result.evidence.messages.values()),
        failed=() if result.held else ((result.seed, str(result.violations[0])),),
    )


def _cell(saga: str, seeds: int, invariants: Sequence[str], position: int) -> Tried:
    definition = named(saga, Saga)
    cell = tried(definition, _nth(cells(definition), position), range(seeds), found(invariants))
    return Tried(saga, position, cell.fired, cell.sagas, None if cell.failed is None else cell.failed.seed)


def _nth(iterator: Iterator[Cell], position: int) -> Cell:
    return next(islice(iterator, position, None))


def _everywhere(do: Callable[[GivenT], MadeT], given: Iterable[GivenT], processes: int | None) -> Iterator[MadeT]:
    pool = ProcessPoolExecutor(processes)
    try:
        for future in as_completed([pool.submit(do, each) for each in given]):
            yield future.result()
    finally:
        pool.shutdown(cancel_futures=True)  # Whoever wants no more waits for what has begun, and for nothing else.
