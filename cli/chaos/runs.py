"""`saga chaos run`, `matrix` and `replay`: run, show, record, and say with an exit code what came of it."""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from chaos import campaign
from chaos.campaign import Summary, Tried, setup_of
from chaos.faults import BY_NAME
from chaos.invariants import found as invariants_of
from chaos.matrix import Verdict, cells, setup_for
from chaos.presets import PRESETS
from chaos.real.presets import PRESETS as REAL_PRESETS
from chaos.record import Record
from chaos.report.write import write
from chaos.samples import NoExample
from chaos.scenario import InvalidScenario, Scenario
from chaos.shrink import shrink
from chaos.sim.run import Result, run
from chaos.story import failure
from cli.chaos.progress import Campaign
from cli.chaos.progress import shown as on_screen
from cli.chaos.reports import matrix_report, run_report
from cli.chaos.show import believed, matrix_table, not_green, summary_words, unexercised, verdict
from cli.failure import Exit, Failure
from cli.terminal import note, show, show_json
from sagas import InvalidDefinition, Saga
from sagas.imports import named

MANY = 1_000  #: seeds where no scenario is given


@dataclass(frozen=True, slots=True)
class Outputs:
    """Where what was seen goes."""

    records: Path  #: a directory for runs that failed
    report: Path | None  #: a directory for the report
    as_json: bool


def run_scenario(
    saga: str,
    scenario: str | None,
    first: int,
    seeds: int | None,
    invariants: Sequence[str],
    outputs: Outputs,
    processes: int | None,
) -> Exit:
    """Run seeds of a scenario. Raises `Failure` where it can't be run."""
    chosen, count = _scenario(scenario), seeds or (MANY if scenario is None else 1)
    _try_out(saga, chosen, invariants)
    begun = time.monotonic()
    total = _run_all(saga, chosen, range(first, first + count), invariants, processes, outputs.as_json)
    seconds = time.monotonic() - begun
    failed = next((run(setup_of(saga, chosen, seed, invariants), seed) for seed, _ in sorted(total.failed)[:1]), None)
    smallest = None if failed is None else _smaller(failed)
    files = [] if smallest is None else [_recorded(saga, smallest, outputs.records)]
    if outputs.as_json:
        show_json(_as_json(total, seconds, files))
    else:
        show(summary_words(total, seconds))
    if outputs.report is not None:
        shown = smallest or run(setup_of(saga, chosen, first, invariants), first)
        what = " ".join([*([scenario] if scenario else []), f"--saga {saga}", *_options(invariants)])
        command = f"saga chaos run {what} --seed {first} --seeds {count}"
        report = run_report(command, total, summary_words(total, seconds), shown)
        note(f"Report: {write(report, outputs.report)}")
    return _concluded(total, files)


def run_matrix(
    sagas: Sequence[str], seeds: int, invariants: Sequence[str], outputs: Outputs, processes: int | None
) -> Exit:
    """The matrix of each saga. Raises `Failure` where one can't be run."""
    begun, found, reds = time.monotonic(), dict[str, dict[int, Tried]](), list[Result]()
    for saga in sagas:
        _try_out(saga, None, invariants)
        found[saga] = _tried(saga, seeds, invariants, processes, outputs.as_json)
        _show_matrix(saga, found[saga], outputs.as_json)
        for words in () if invariants else believed(named(saga, Saga)):
            note(words)
        if (red := _first_red(saga, found[saga], invariants)) is not None:
            reds.append(_smaller(red))
            note(f"Repeat it with: saga chaos replay {_recorded(saga, reds[-1], outputs.records)}")
    if outputs.report is not None:
        what = " ".join([*(f"--saga {saga}" for saga in sagas), *_options(invariants)])
        command = f"saga chaos matrix {what} --seeds {seeds}"
        report = matrix_report(command, found, time.monotonic() - begun, reds)
        note(f"Report: {write(report, outputs.report)}")
    green = all(verdict(tried) is Verdict.GREEN for cells_of in found.values() for tried in cells_of.values())
    return Exit.OK if green else Exit.OTHER


def run_replay(file: Path, invariants: Sequence[str]) -> Exit:
    """Repeat a recorded run."""
    try:
        result = Record.read(file).run(invariants)
    except (InvalidScenario, InvalidDefinition, NoExample) as error:
        note(f"ERROR: {error}")
        return Exit.USAGE
    if result.held:
        show("FIXED: every invariant holds.")
        return Exit.OK
    show(failure(result))
    show("FAILED")
    return Exit.OTHER


def _scenario(name: str | None) -> Scenario | None:
    if name is None or name in PRESETS:
        return None if name is None else PRESETS[name]
    path = Path(name)
    if name in REAL_PRESETS:
        raise Failure(f"{name!r} is a real run: add --mode real.", Exit.USAGE)
    if not path.exists():
        raise Failure(f"{name!r} is no file, and none of the presets {', '.join(PRESETS)}.", Exit.USAGE)
    try:
        return Scenario.load(path)
    except InvalidScenario as error:
        raise Failure(str(error), Exit.USAGE) from error


def _try_out(saga: str, scenario: Scenario | None, invariants: Sequence[str]) -> None:
    """Whether there is such a saga, and it can be run at all; before many processes find out that it can't."""
    try:
        run(setup_of(saga, scenario or Scenario(sagas=1), 0, invariants), 0)
    except (InvalidScenario, InvalidDefinition, NoExample) as error:
        raise Failure(str(error), Exit.USAGE) from error


def _options(invariants: Sequence[str]) -> list[str]:
    return [f"--invariant {each}" for each in invariants]


def _tried(saga: str, seeds: int, invariants: Sequence[str], processes: int | None, as_json: bool) -> dict[int, Tried]:
    found = {}
    board = Campaign(saga, sum(1 for _ in cells(named(saga, Saga))), "cells")
    with on_screen(board, as_json):
        for tried in campaign.matrix(saga, seeds, invariants=invariants, processes=processes):
            found[tried.position] = tried
            board.add(1, tried.sagas, tried.fired, int(tried.failed_seed is not None))
    return found


def _first_red(saga: str, found: Mapping[int, Tried], invariants: Sequence[str]) -> Result | None:
    reds = [(position, tried.failed_seed) for position, tried in sorted(found.items()) if tried.failed_seed is not None]
    if not reds:
        return None
    position, seed = reds[0]
    cell = list(cells(named(saga, Saga)))[position]
    setup = setup_for(named(saga, Saga), cell.place, cell.fault)
    return run(replace(setup, invariants=invariants_of(invariants)), seed)


def _show_matrix(saga: str, found: Mapping[int, Tried], as_json: bool) -> None:
    if as_json:
        show_json(_matrix_json(saga, found))
    else:
        show(matrix_table(named(saga, Saga), found))
    for words in not_green(named(saga, Saga), found):
        note(words)


def _run_all(
    saga: str,
    scenario: Scenario | None,
    seeds: range,
    invariants: Sequence[str],
    processes: int | None,
    as_json: bool,
) -> Summary:
    everything = frozenset(BY_NAME) if scenario is None and len(seeds) >= MANY else frozenset[str]()
    total = Summary(wanted=everything)
    board = Campaign("swarm" if scenario is None else scenario.name, len(seeds), "seeds")
    with on_screen(board, as_json):
        for summary in campaign.runs(saga, scenario, seeds, invariants=invariants, processes=processes):
            total += summary
            struck = sum(summary.fired.values())
            board.add(summary.runs, sum(summary.statuses.values()), struck, len(summary.failed))
    return total


def _smaller(failed: Result) -> Result:
    """As small as it still fails, and shown."""
    note("Making the run that failed smaller …")
    smallest = shrink(failed)
    note(failure(smallest))
    return smallest


def _recorded(saga: str, failed: Result, records: Path) -> Path:
    file = records / f"{failed.setup.saga.name}-{failed.seed}.json"
    Record.of(saga, failed).write(file)
    return file


def _concluded(total: Summary, files: Iterable[Path]) -> Exit:
    for seed, violation in sorted(total.failed)[:10]:
        note(f"seed {seed}: {violation}")
    if total.never:
        note(f"Never struck, so nothing was shown about: {', '.join(total.never)}.")
    for words in unexercised(total.statuses):
        note(words)
    for file in files:
        note(f"Repeat it with: saga chaos replay {file}")
    return Exit.OK if total.held else Exit.OTHER


def _as_json(total: Summary, seconds: float, files: Sequence[Path]) -> dict[str, object]:
    return {
        "held": total.held,
        "runs": total.runs,
        "seconds": round(seconds, 3),
        "sagas": dict(total.statuses),
        "messages": total.messages,
        "fired": dict(sorted(total.fired.items())),
        "never": total.never,
        "failed": [{"seed": seed, "violation": violation} for seed, violation in sorted(total.failed)],
        "recorded": [str(file) for file in files],
    }


def _matrix_json(saga: str, found: Mapping[int, Tried]) -> dict[str, object]:
    everything = list(cells(named(saga, Saga)))
    return {
        "saga": saga,
        "cells": [
            {
                "step": everything[position].place.step,
                "kind": everything[position].place.kind,
                "fault": everything[position].fault.name,
                "fired": tried.fired,
                "verdict": verdict(tried).value,
                "failed_seed": tried.failed_seed,
            }
            for position, tried in sorted(found.items())
        ],
    }
