"""`saga chaos run`, `matrix` and `replay`: run, show, record, and say with an exit code what came of it."""

import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from chaos import campaign
from chaos.campaign import Summary, Tried, setup_of
from chaos.faults import BY_NAME
from chaos.matrix import Verdict, cells, setup_for
from chaos.presets import PRESETS
from chaos.record import NoSuchSaga, Record, find_saga
from chaos.samples import NoExample
from chaos.scenario import InvalidScenario, Scenario
from chaos.shrink import shrink
from chaos.sim.run import Result, run
from chaos.story import failure
from cli.chaos.show import matrix_table, place_words, summary_words, verdict
from cli.failure import Exit, Failure
from cli.many import progress_bar
from cli.terminal import note, show, show_json

MANY = 1_000  #: seeds where no scenario is given


def run_scenario(
    saga: str,
    scenario: str | None,
    first: int,
    seeds: int | None,
    records: Path,
    processes: int | None,
    as_json: bool,
) -> Exit:
    """Run seeds of a scenario. Raises `Failure` where it can't be run."""
    chosen, count = _scenario(scenario), seeds or (MANY if scenario is None else 1)
    _try_out(saga, chosen)
    begun = time.monotonic()
    everything = frozenset(BY_NAME) if chosen is None and count >= MANY else frozenset[str]()
    total = Summary(wanted=everything)
    with progress_bar() as bar:
        task = bar.add_task(scenario or "swarm", total=count)
        for summary in campaign.runs(saga, chosen, range(first, first + count), processes=processes):
            total += summary
            bar.update(task, advance=summary.runs)
    seconds = time.monotonic() - begun
    files = [_recorded(saga, run(setup_of(saga, chosen, seed), seed), records) for seed, _ in sorted(total.failed)[:1]]
    if as_json:
        show_json(_as_json(total, seconds, files))
    else:
        show(summary_words(total, seconds))
    return _concluded(total, files)


def run_matrix(sagas: Sequence[str], seeds: int, records: Path, processes: int | None, as_json: bool) -> Exit:
    """The matrix of each saga. Raises `Failure` where one can't be run."""
    green = True
    for saga in sagas:
        _try_out(saga, None)
        found = _tried(saga, seeds, processes)
        everything = list(cells(find_saga(saga)))
        if as_json:
            show_json(_matrix_json(saga, found))
        else:
            show(matrix_table(find_saga(saga), found))
        green &= all(verdict(tried) is Verdict.GREEN for tried in found.values())
        for position, tried in sorted(found.items()):
            if verdict(tried) is not Verdict.GREEN:
                cell = everything[position]
                note(f"{verdict(tried)}: {place_words(cell)}")
        _record_first_red(saga, found, records)
    return Exit.OK if green else Exit.OTHER


def run_replay(file: Path) -> Exit:
    """Repeat a recorded run."""
    try:
        result = Record.read(file).run()
    except (InvalidScenario, NoSuchSaga, NoExample) as error:
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
    if not path.exists():
        raise Failure(f"{name!r} is no file, and none of the presets {', '.join(PRESETS)}.", Exit.USAGE)
    try:
        return Scenario.load(path)
    except InvalidScenario as error:
        raise Failure(str(error), Exit.USAGE) from error


def _try_out(saga: str, scenario: Scenario | None) -> None:
    """Whether there is such a saga, and it can be run at all; before many processes find out that it can't."""
    try:
        run(setup_of(saga, scenario or Scenario(sagas=1), 0), 0)
    except (InvalidScenario, NoSuchSaga, NoExample) as error:
        raise Failure(str(error), Exit.USAGE) from error


def _tried(saga: str, seeds: int, processes: int | None) -> dict[int, Tried]:
    found = {}
    with progress_bar() as bar:
        task = bar.add_task(saga, total=sum(1 for _ in cells(find_saga(saga))))
        for tried in campaign.matrix(saga, seeds, processes=processes):
            found[tried.position] = tried
            bar.update(task, advance=1)
    return found


def _record_first_red(saga: str, found: dict[int, Tried], records: Path) -> None:
    reds = [(position, tried.failed_seed) for position, tried in sorted(found.items()) if tried.failed_seed is not None]
    for position, seed in reds[:1]:
        cell = list(cells(find_saga(saga)))[position]
        file = _recorded(saga, run(setup_for(find_saga(saga), cell.place, cell.fault), seed), records)
        note(f"Repeat it with: saga chaos replay {file}")


def _recorded(saga: str, failed: Result, records: Path) -> Path:
    """Make it smaller, show it, and write it down."""
    note("Making the run that failed smaller …")
    smallest = shrink(failed)
    file = records / f"{smallest.setup.saga.name}-{smallest.seed}.json"
    Record.of(saga, smallest).write(file)
    note(failure(smallest))
    return file


def _concluded(total: Summary, files: Iterable[Path]) -> Exit:
    for seed, violation in sorted(total.failed)[:10]:
        note(f"seed {seed}: {violation}")
    if total.never:
        note(f"Never struck, so nothing was shown about: {', '.join(total.never)}.")
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


def _matrix_json(saga: str, found: dict[int, Tried]) -> dict[str, object]:
    everything = list(cells(find_saga(saga)))
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
