"""`saga chaos run` and `matrix` with `--mode real`: real servers and processes, a few minutes each."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace

from rich.table import Table
from rich.text import Text

from adapters.servers import ServerFailed, ServerMissing
from chaos.faults import Fault
from chaos.matrix import Verdict
from chaos.real.load_process import GaveUp
from chaos.real.matrix import groups, verdicts
from chaos.real.presets import PRESETS
from chaos.real.run import Result, run
from chaos.real.setup import Impossible, Setup
from chaos.real.world import NotReady
from chaos.report.content import Curves, Report, Verdicts
from chaos.report.write import write
from chaos.story import history_of
from cli.chaos.runs import Outputs
from cli.chaos.show import MARKS, STYLES
from cli.failure import Exit, Failure
from cli.terminal import note, show, show_json
from sagas import InvalidDefinition

_SILENT = "Never struck, so nothing was shown about"


@contextmanager
def _explaining() -> Iterator[None]:
    """What is wrong with what was asked for, or with this machine, becomes `Failure`."""
    try:
        yield
    except (Impossible, InvalidDefinition) as error:
        raise Failure(str(error), Exit.USAGE) from error
    except (NotReady, GaveUp, ServerMissing, ServerFailed) as error:
        raise Failure(str(error)) from error


@_explaining()
def run_real(saga: str, scenario: str | None, seed: int, participants: Sequence[str], outputs: Outputs) -> Exit:
    """One run of a preset, or of a group of the matrix. Raises `Failure` where it can't be run."""
    known = _known(Setup(saga=saga, participants=participants))
    if scenario not in known:
        raise Failure(f"A real run needs one of: {', '.join(known)}.", Exit.USAGE)
    result = run(known[scenario], seed, note)
    command = f"saga chaos run {scenario} --mode real --saga {saga} --seed {seed}"
    _told(command, {scenario: result}, outputs)
    return Exit.OK if result.held and not result.silent else Exit.OTHER


@_explaining()
def matrix_real(saga: str, seed: int, participants: Sequence[str], outputs: Outputs) -> Exit:
    """Every group of faults, one run after the other. Raises `Failure` where it can't be run."""
    results = {}
    for name, setup in groups(Setup(saga=saga, participants=participants)).items():
        note(f"{name}: {len(setup.faults)} faults, {setup.sagas:,} sagas")
        results[name] = run(setup, seed, note)
    _told(f"saga chaos matrix --mode real --saga {saga}", results, outputs)
    green = all(found is Verdict.GREEN for result in results.values() for found in verdicts(result).values())
    return Exit.OK if green else Exit.OTHER


def _known(usual: Setup) -> dict[str, Setup]:
    presets = {
        name: replace(preset, saga=usual.saga, participants=usual.participants) for name, preset in PRESETS.items()
    }
    return presets | {name.replace(" ", "-"): setup for name, setup in groups(usual).items()}


def _told(command: str, results: Mapping[str, Result], outputs: Outputs) -> None:
    if outputs.as_json:
        show_json({name: _as_json(result) for name, result in results.items()})
    else:
        show(_table(results))
    for name, result in results.items():
        for violation in result.violations[:10]:
            note(f"{name}: {violation}")
        if result.silent:
            note(f"{_SILENT}: {', '.join(fault.name for fault in result.silent)}.")
    if outputs.report is not None:
        note(f"Report: {write(_report(command, results), outputs.report)}")


def _table(results: Mapping[str, Result]) -> Table:
    table = Table("fault", box=None, pad_edge=False, header_style="bold")
    table.add_column("struck", justify="right")
    table.add_column("next completed after", justify="right")
    for name, result in results.items():
        ended = ", ".join(f"{count:,} {status}" for status, count in sorted(result.statuses.items()))
        table.add_row(Text(f"{name}: {ended}; {result.took_s:.0f} s", "bold"), "", "")
        for fault, found in verdicts(result).items():
            struck = Text(f"{MARKS[found]} {result.fired.get(fault, 0)}", STYLES[found])
            table.add_row(fault.name, struck, _slowest(result, fault))
    return table


def _slowest(result: Result, fault: Fault) -> str:
    """The longest that it took until a saga was completed that began after the fault."""
    took = [each.seconds for each in result.recoveries if each.fault == fault]
    if not took:
        return ""
    return "never" if None in took else f"{max(one for one in took if one is not None):.1f} s"


def _as_json(result: Result) -> dict[str, object]:
    return {
        "held": result.held,
        "seconds": round(result.took_s, 1),
        "sagas": dict(result.statuses),
        "violations": [str(violation) for violation in result.violations],
        "faults": [
            {
                "fault": fault.name,
                "step": fault.step,
                "kind": fault.kind,
                "fired": result.fired.get(fault, 0),
                "verdict": found.value,
                "recovered_s": [each.seconds for each in result.recoveries if each.fault == fault],
            }
            for fault, found in verdicts(result).items()
        ],
    }


def _report(command: str, results: Mapping[str, Result]) -> Report:
    shown = next((result for result in results.values() if not result.held), next(iter(results.values())))
    facts = {
        name: f"{sum(result.statuses.values()):,} sagas, {sum(result.fired.values())} strikes, {result.took_s:.0f} s"
        for name, result in results.items()
    }
    return Report(
        title="Real failure runs",
        held=all(result.held and not result.silent for result in results.values()),
        repeat=command,
        facts={"seed": str(shown.seed), **facts},
        violations=[f"{violation} ({name})" for name, result in results.items() for violation in result.violations],
        never=[fault.name for result in results.values() for fault in result.silent],
        tables=[_verdicts(name, result) for name, result in results.items() if result.setup.faults],
        curves=Curves(shown.throughput, [(each.fault.name, each.at_s, each.seconds) for each in shown.recoveries]),
        history=history_of(shown),
    )


def _verdicts(name: str, result: Result) -> Verdicts:
    rows = [(_aimed(fault), [(found, result.fired.get(fault, 0))]) for fault, found in verdicts(result).items()]
    return Verdicts(name, ["struck"], rows)


def _aimed(fault: Fault) -> str:
    return f"{fault.name}, {fault.step} {fault.kind}" if fault.step else fault.name
