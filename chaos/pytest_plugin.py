"""For pytest: a fixture that runs a saga under every fault. It comes with the package, and waits to be asked for."""

from collections.abc import Callable, Iterable
from typing import Any

import pytest

EveryFault = Callable[..., None]


@pytest.fixture
def every_fault() -> EveryFault:
    """Runs a saga in the simulated world, with every fault at each of its commands; fails where something doesn't hold.

        def test_a_trip_survives_whatever_happens(every_fault):
            every_fault(trip)

    `seeds`: how many runs for each fault and command. What never struck fails too: it has shown nothing. `invariants`:
    functions of your own, of a `chaos.checker.Case`, that yield what is wrong; checked beside the usual ones.
    """
    return _every_fault


def _every_fault(saga: Any, *, seeds: int = 1, invariants: Iterable[Callable[[Any], Any]] = ()) -> None:
    # Imported when it is used: every run of pytest loads this module.
    from chaos.invariants import Invariant  # noqa: PLC0415
    from chaos.matrix import Verdict, cells, tried  # noqa: PLC0415
    from chaos.story import failure  # noqa: PLC0415

    own = [Invariant.of(each) for each in invariants]
    for cell in cells(saga):
        found = tried(saga, cell, range(seeds), own)
        where = f"{cell.fault.name}, {cell.place.step} {cell.place.kind}"
        if found.failed is not None:
            pytest.fail(f"{where} (seed {found.failed.seed}):\n{failure(found.failed)}", pytrace=False)
        if found.verdict is Verdict.GREY:
            pytest.fail(f"{where}: never struck; try more seeds", pytrace=False)
