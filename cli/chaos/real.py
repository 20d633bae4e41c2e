"""`saga chaos run` and `matrix` with `--mode real`: real servers and processes, a few minutes each."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from rich.table import Table
from rich.text import Text

from adapters.servers import ServerFailed, ServerMissing
from chaos.faults import Fault
from chaos.invariants import found as invariants_of
from chaos.matrix import Verdict
from chaos.real.lasting import lasting
from chaos.real.load_process import GaveUp
from chaos.real.matrix import groups, verdicts
from chaos.real.presets import PRESETS
from chaos.real.recovery import Recovery, costs
from chaos.real.run import Result, run
from chaos.real.scenario import setup_of
from chaos.real.setup import Impossible, Setup
from chaos.real.world import NotReady
from chaos.report.content import Curves, Report, Verdicts, seconds_words
from chaos.report.write import write
from chaos.scenario import InvalidScenario, Scenario
from chaos.story import history_of
from cli.chaos.progress import RealRun, shown
from cli.chaos.runs import Outputs
from cli.chaos.show import MARKS, STYLES, unexercised
from cli.failure import Exit, Failure
from cli.terminal import note, show, show_json
from sagas import InvalidDefinition


@dataclass(frozen=True, slots=True)
class Pace:
    """How a run differs from its preset."""

    for_s: float | None = None  #: how long it goes on
    per_s: float | None = None  #: sagas started each second

    def of(self, usual: Setup, seed: int) -> Setup:
        """The setup at this pace; without `for_s` as long as it was. Raises `Impossible`."""
        per_s = self.per_s or usual.per_s
        setup = replace(usual, per_s=per_s, sagas=int(usual.loaded_s * per_s))
        return setup if self.for_s is None else lasting(setup, self.for_s, seed)

    def __str__(self) -> str:
        """As options of the command line."""
        paced = f" --for {self.for_s:g}" if self.for_s else ""
        return paced + (f" --rate {self.per_s:g}" if self.per_s else "")


_BROKEN = (NotReady, GaveUp, ServerFailed)  #: a run that does not come to its end
_SILENT = "Never struck, so nothing was shown about"


@contextmanager
def _explaining() -> Iterator[None]:
    """What is wrong with what was asked for, or with this machine, becomes `Failure`."""
    try:
        yield
    except (Impossible, InvalidDefinition, InvalidScenario) as error:
        raise Failure(str(error), Exit.USAGE) from error
    except (*_BROKEN, ServerMissing) as error:
        raise Failure(str(error)) from error


@_explaining()
def run_real(
    saga: str,
    scenario: str | None,
    seed: int,
    participants: Sequence[str],
    invariants: Sequence[str],
    pace: Pace,
    outputs: Outputs,
) -> Exit:
    """One run of a preset, of a group of the matrix, or of a file. Raises `Failure` where it can't be run."""
    usual = Setup(saga=saga, participants=participants, invariants=invariants_of(invariants))
    name, setup = _chosen(scenario, usual)
    result = _watched(name, pace.of(setup, seed), seed, outputs)
    _told(f"saga chaos run {scenario} --seed {seed} {_options(usual)}{pace}", {name: result}, outputs)
    return Exit.OK if result.held and not result.silent else Exit.OTHER


@_explaining()
def matrix_real(
    saga: str,
    seed: int,
    participants: Sequence[str],
    invariants: Sequence[str],
    per_s: float | None,
    outputs: Outputs,
) -> Exit:
    """Every group of faults, one run after the other. Raises `Failure` where none can be run."""
    results, broken = dict[str, Result](), list[str]()
    usual = Setup(saga=saga, participants=participants, invariants=invariants_of(invariants))
    usual = replace(usual, per_s=per_s or usual.per_s)
    all_groups = groups(usual)
    for number, (name, setup) in enumerate(all_groups.items(), 1):
        note(f"{name}: {len(setup.faults)} faults, {setup.sagas:,} sagas")
        try:
            violations = sum(len(each.violations) for each in results.values())
            results[name] = _watched(f"{name} ({number} of {len(all_groups)})", setup, seed, outputs, violations)
        except _BROKEN as error:  # What the others show is worth having.
            broken.append(f"{name}: {error}")
            note(broken[-1])
        else:
            note(f"{name}: {_verdict(results[name])}")
    if not results:
        raise Failure("\n".join(broken))
    _told(f"saga chaos matrix {_options(usual)}{Pace(per_s=per_s)}", results, outputs)
    green = all(found is Verdict.GREEN for result in results.values() for found in verdicts(result).values())
    return Exit.OK if green and not broken else Exit.OTHER


def _verdict(result: Result) -> str:
    """What came of a run, in a line: the tables come when all runs are over."""
    held = "held" if result.held else f"{len(result.violations)} violations"
    kinds = set(result.setup.faults)
    return f"{held}, {len(kinds - set(result.silent))} of {len(kinds)} faults struck, {result.took_s:.0f} s"


def _watched(title: str, setup: Setup, seed: int, outputs: Outputs, violations: int = 0) -> Result:
    """The run, which can be watched on a terminal."""
    board = RealRun(title, setup, violations)
    with shown(board, outputs.as_json) as watched:
        return run(setup, seed, note, onlooker=board.see if watched else None, records=outputs.records)


def _options(setup: Setup) -> str:
    """How the command line says what was run."""
    own = [f"--participant {each}" for each in setup.participants]
    checked = [f"--invariant {each.reference}" for each in setup.invariants]
    return " ".join(["--mode real", f"--saga {setup.saga}", *own, *checked])


def _chosen(scenario: str | None, usual: Setup) -> tuple[str, Setup]:
    """The run that is meant, and what to call it."""
    all_groups = {name.replace(" ", "-"): setup for name, setup in groups(usual).items()}
    if scenario is not None and scenario in all_groups:
        return scenario, all_groups[scenario]
    if scenario is not None and scenario in PRESETS:
        return scenario, setup_of(PRESETS[scenario], usual)
    if scenario is None or not Path(scenario).exists():
        known = ", ".join([*PRESETS, *all_groups])
        raise Failure(f"A real run needs a scenario: a YAML file, or one of {known}.", Exit.USAGE)
    read = Scenario.load(Path(scenario))
    return read.name, setup_of(read, usual)


def _told(command: str, results: Mapping[str, Result], outputs: Outputs) -> None:
    if outputs.as_json:
        show_json({name: _as_json(result) for name, result in results.items()})
    for name, result in results.items():
        if not outputs.as_json:
            show(f"{name}: {_counts(result)}; {result.took_s:.0f} s")
            show(_table(result))
        for violation in result.violations[:10]:
            note(f"{name}: {violation}")
        if result.record is not None:
            note(f"{name}: everything about it is in {result.record}")
        for words in _not_shown(result):
            note(f"{name}: {words}")
    if outputs.report is not None:
        note(f"Report: {write(_report(command, results), outputs.report)}")


def _not_shown(result: Result) -> Iterator[str]:
    """What a green run does not mean."""
    if result.silent:
        yield f"{_SILENT}: {', '.join(fault.name for fault in result.silent)}."
    yield from unexercised(result.statuses)


def _table(result: Result) -> Table:
    """A row for each fault. It has recovered once a saga was completed that began after it."""
    table = Table("fault", box=None, pad_edge=False, header_style="bold")
    for column in ("struck", "recovered after", "at worst", "no saga ended for"):
        table.add_column(column, justify="right")
    for fault, found in verdicts(result).items():
        struck = Text(f"{MARKS[found]} {result.fired.get(fault, 0)}", STYLES[found])
        table.add_row(_aimed(fault), struck, *_cost(each for each in result.recoveries if each.fault == fault))
    return table


def _counts(result: Result) -> str:
    """What became of the sagas, in words."""
    stuck = sum(any(entry["status"] == "stuck" for entry in saga["history"]) for saga in result.evidence.sagas)
    ended = ", ".join(f"{count:,} {status}" for status, count in sorted(result.statuses.items()))
    sent = result.evidence.messages.values()
    messages = f"{sum(sent):,} messages, at most {max(sent, default=0)} for one saga"
    return f"{len(result.evidence.requests):,} sagas started, {ended}; {stuck} were ever stuck; {messages}"


def _cost(found: Iterable[Recovery]) -> Iterator[str]:
    """Median, worst, standstill of one fault's strikes; nothing where it never struck."""
    for cost in costs(found):
        yield seconds_words(cost.median_s)
        yield seconds_words(cost.worst_s)
        yield seconds_words(cost.standstill_s)


def _as_json(result: Result) -> dict[str, object]:
    return {
        "held": result.held,
        "seconds": round(result.took_s, 1),
        "started": len(result.evidence.requests),
        "sagas": dict(result.statuses),
        "violations": [str(violation) for violation in result.violations],
        "record": None if result.record is None else str(result.record),
        "messages": sum(result.evidence.messages.values()),
        "most_messages": max(result.evidence.messages.values(), default=0),
        "recovery": [asdict(cost) for cost in costs(result.recoveries)],
        "throughput": result.throughput,
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
        name: f"{_counts(result)}; {sum(result.fired.values())} strikes, {result.took_s:.0f} s"
        for name, result in results.items()
    }
    return Report(
        title="Real failure runs",
        held=all(result.held and not result.silent for result in results.values()),
        repeat=command,
        facts={"seed": str(shown.seed), **facts},
        violations=[f"{violation} ({name})" for name, result in results.items() for violation in result.violations],
        never=[fault.name for result in results.values() for fault in result.silent],
        invariants=[invariant.name for invariant in shown.setup.invariants],
        tables=[_verdicts(name, result) for name, result in results.items() if result.setup.faults],
        curves=Curves(
            shown.throughput, shown.recoveries, costs(each for one in results.values() for each in one.recoveries)
        ),
        history=history_of(shown),
    )


def _verdicts(name: str, result: Result) -> Verdicts:
    rows = [(_aimed(fault), [(found, result.fired.get(fault, 0))]) for fault, found in verdicts(result).items()]
    return Verdicts(name, ["struck"], rows)


def _aimed(fault: Fault) -> str:
    aim = " ".join(one for one in (fault.step, fault.kind) if one)
    return f"{fault.name}, {aim}" if aim else fault.name
