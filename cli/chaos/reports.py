"""From what runs have shown to a report's content."""

from collections.abc import Mapping, Sequence

from chaos.campaign import Summary, Tried
from chaos.matrix import Verdict
from chaos.report.content import Report, verdicts
from chaos.sim.run import Result
from chaos.story import history_of
from cli.chaos.show import verdict
from sagas import Saga
from sagas.imports import named


def run_report(command: str, total: Summary, words: str, shown: Result) -> Report:
    """Of many seeds of one scenario; `shown` is the run whose story is told."""
    return Report(
        title="Simulated failure runs",
        held=total.held,
        repeat=command,
        facts={"saga": shown.setup.saga.name, "runs": words, "shown below": f"seed {shown.seed}"},
        violations=[f"{violation} (seed {seed})" for seed, violation in sorted(total.failed)]
        + [str(violation) for violation in shown.violations],
        fired=dict(sorted(total.fired.items())),
        never=total.never,
        invariants=[invariant.name for invariant in shown.setup.invariants],
        history=history_of(shown),
    )


def matrix_report(
    command: str, found: Mapping[str, Mapping[int, Tried]], seconds: float, reds: Sequence[Result]
) -> Report:
    """Of the matrix of several sagas; `reds` are runs that failed."""
    every = [tried for cells_of in found.values() for tried in cells_of.values()]
    count = {kind: sum(verdict(tried) is kind for tried in every) for kind in Verdict}
    cells = ", ".join(f"{number:,} {kind}" for kind, number in count.items())
    return Report(
        title="Every fault at every step",
        held=count[Verdict.GREEN] == len(every),
        repeat=command,
        facts={"cells": cells, "strikes": f"{sum(tried.fired for tried in every):,}", "seconds": f"{seconds:.1f}"},
        violations=[str(violation) for red in reds for violation in red.violations],
        tables=[
            verdicts(named(saga, Saga), {at: (verdict(tried), tried.fired) for at, tried in cells_of.items()})
            for saga, cells_of in found.items()
        ],
        history=history_of(reds[0]) if reds else None,
    )
