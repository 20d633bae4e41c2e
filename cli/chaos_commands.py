"""The commands below `saga chaos`: only what they accept. What they do is imported when it is done."""

from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from cli.arguments import AsJson, duration_s
from cli.failure import Exit, Failure

ORDER = "sagas.order:order"
CELL_RUNS = 3  #: of a simulated matrix


class Mode(StrEnum):
    """In which world a run happens."""

    SIM = "sim"
    REAL = "real"


InMode = Annotated[
    Mode, typer.Option("--mode", help="Simulated, in one process on a clock that jumps; or real servers and processes.")
]
Participants = Annotated[
    list[str] | None,
    typer.Option("--participant", metavar="MODULE:ATTRIBUTE", help="One of your own, for real runs; may be repeated."),
]
Invariants = Annotated[
    list[str] | None,
    typer.Option(
        "--invariant",
        metavar="MODULE:FUNCTION",
        help="One of your own, checked beside the usual ones; may be repeated.",
    ),
]
OneSaga = Annotated[str, typer.Option("--saga", metavar="MODULE:ATTRIBUTE", help="The saga that is run.")]
Recordings = Annotated[Path, typer.Option("--records", help="Where a run that fails is recorded.", file_okay=False)]
Report = Annotated[Path | None, typer.Option(help="A directory for report.html and junit.xml.", file_okay=False)]
For = Annotated[
    str | None,
    typer.Option(
        "--for",
        metavar="DURATION",
        help="How long a real run goes on, as 10m: at most an hour. Its faults strike every 12 s.",
    ),
]
Rate = Annotated[
    float | None, typer.Option("--rate", min=0.1, max=500, help="Sagas started each second of a real run; default: 30.")
]
Processes = Annotated[int | None, typer.Option(min=1, max=256, help="Processes to run in; default: one for each core.")]


def _refused(words: str, **options: object) -> None:
    for name, value in options.items():
        if value not in (None, []):
            raise Failure(f"--{name} is {words}.", Exit.USAGE)


_not_simulated = partial(_refused, "for real runs: add --mode real")
_not_real = partial(_refused, "for simulated runs: leave out --mode real")


def run(
    scenario: Annotated[
        str | None, typer.Argument(metavar="[SCENARIO]", help="A preset or a YAML file; default: swarms of faults.")
    ] = None,
    saga: OneSaga = ORDER,
    mode: InMode = Mode.SIM,
    seed: Annotated[int, typer.Option(min=0, help="The first seed.")] = 0,
    seeds: Annotated[int | None, typer.Option(min=1, max=10_000_000, help="How many; default: 1, or 1,000.")] = None,
    participant: Participants = None,
    invariant: Invariants = None,
    lasting: For = None,
    rate: Rate = None,
    records: Recordings = Path(".saga/chaos"),
    processes: Processes = None,
    report: Report = None,
    as_json: AsJson = False,
) -> None:
    """Run a saga under faults, and check that nothing was lost, done twice or left half done.

    In the simulated world generated participants with a ledger stand in for yours. Exit code: 0 if every invariant
    held and every fault has struck. A simulated run that fails is made smaller, shown, and recorded: `saga chaos
    replay` repeats it. A real run starts its own servers and processes, and touches no others; of one that fails
    everything that it left behind is kept.
    """
    from cli.chaos.runs import Outputs, run_scenario  # noqa: PLC0415

    outputs = Outputs(records, report, as_json)
    if mode is Mode.REAL:
        from cli.chaos.real import Pace, run_real  # noqa: PLC0415

        _not_real(seeds=seeds, processes=processes)
        pace = Pace(None if lasting is None else duration_s(lasting, "--for"), rate)
        raise typer.Exit(run_real(saga, scenario, seed, participant or [], invariant or [], pace, outputs))
    _not_simulated(**{"for": lasting}, rate=rate, participant=participant)
    raise typer.Exit(run_scenario(saga, scenario, seed, seeds, invariant or [], outputs, processes))


def matrix(
    saga: Annotated[
        list[str] | None, typer.Option("--saga", metavar="MODULE:ATTRIBUTE", help="A saga; may be repeated.")
    ] = None,
    mode: InMode = Mode.SIM,
    seeds: Annotated[
        int | None, typer.Option(min=1, max=10_000, help=f"Runs for each cell; default: {CELL_RUNS}.")
    ] = None,
    participant: Participants = None,
    invariant: Invariants = None,
    rate: Rate = None,
    records: Recordings = Path(".saga/chaos"),
    processes: Processes = None,
    report: Report = None,
    as_json: AsJson = False,
) -> None:
    """Try every fault at every step of a saga, its action and what undoes it: a table of green and red cells.

    The number in a cell says how often the fault has struck; a cell whose fault never struck is not green. Exit code:
    0 only if all are green. With `--mode real` each group of faults is a run of some minutes, half an hour in all.
    """
    from cli.chaos.runs import Outputs, run_matrix  # noqa: PLC0415

    outputs = Outputs(records, report, as_json)
    if mode is Mode.REAL:
        from cli.chaos.real import matrix_real  # noqa: PLC0415

        _not_real(seeds=seeds, processes=processes)
        own = (participant or [], invariant or [])
        raise typer.Exit(max(matrix_real(one, 0, *own, rate, outputs) for one in saga or [ORDER]))
    _not_simulated(rate=rate, participant=participant)
    raise typer.Exit(run_matrix(saga or [ORDER], seeds or CELL_RUNS, invariant or [], outputs, processes))


def replay(
    file: Annotated[Path, typer.Argument(help="A recorded run.")],
    invariant: Invariants = None,
) -> None:
    """Repeat a recorded run: FIXED (exit code 0), FAILED (1), or ERROR (2) where it can't be repeated.

    Invariants that it was checked by are checked again.
    """
    from cli.chaos.runs import run_replay  # noqa: PLC0415

    raise typer.Exit(run_replay(file, invariant or []))


def ls(as_json: AsJson = False) -> None:
    """List the presets, and the faults that a scenario can name: for simulated runs, and for real ones."""
    from cli.chaos.show import list_all  # noqa: PLC0415

    list_all(as_json)
