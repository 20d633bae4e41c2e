"""What runs with faults look like to people: tables, verdicts, the story of a saga. Decides nothing."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from rich.table import Table
from rich.text import Text

from chaos.campaign import Summary, Tried
from chaos.faults import BY_NAME, CATALOGUE, Fault
from chaos.matrix import Cell, Place, Verdict, cells, places
from chaos.presets import PRESETS
from chaos.real import catalogue as real_catalogue
from chaos.real import presets as real
from chaos.scenario import Scenario
from cli.terminal import show, show_json
from sagas import Saga

STYLES = {Verdict.GREEN: "green", Verdict.RED: "bold red", Verdict.GREY: "yellow"}
MARKS = {Verdict.GREEN: "✔", Verdict.RED: "✘", Verdict.GREY: "·"}


def list_all(as_json: bool) -> None:
    """The presets and the faults, of both kinds of run."""
    if as_json:
        show_json({**_listed(PRESETS, CATALOGUE), "real": _listed(real.PRESETS, real_catalogue.CATALOGUE)})
        return
    table = Table("preset", box=None, pad_edge=False, header_style="bold")
    table.add_column("simulated (--mode sim)", ratio=1)
    table.add_column("real (--mode real)", ratio=1)
    for name in dict.fromkeys([*PRESETS, *real.PRESETS]):
        kinds = _kinds(PRESETS.get(name), BY_NAME), _kinds(real.PRESETS.get(name), real_catalogue.BY_NAME)
        table.add_row(name, *kinds)
    show(table)
    table = Table("\nfault", "\nsimulated", "\nreal", box=None, pad_edge=False, header_style="bold")
    for name in dict.fromkeys([*BY_NAME, *real_catalogue.BY_NAME]):
        table.add_row(name, _lasts(BY_NAME.get(name)), _lasts(real_catalogue.BY_NAME.get(name)))
    show(table)


def _listed(presets: Mapping[str, Scenario], faults: Sequence[Fault]) -> dict[str, object]:
    return {
        "presets": {name: scenario.to_json() for name, scenario in presets.items()},
        "faults": [{"fault": fault.name, "for_s": fault.for_s} for fault in faults],
    }


def _lasts(fault: Fault | None) -> str:
    """Whether a kind of run has it, and how long it usually lasts there."""
    if fault is None:
        return ""
    return f"✔ {fault.for_s:g} s" if fault.for_s else "✔"


def _kinds(scenario: Scenario | None, catalogue: Mapping[str, Fault]) -> str:
    """Which kinds of fault a scenario has; nothing where there is none of that name."""
    if scenario is None:
        return ""
    return ", ".join(dict.fromkeys(strike.to_fault(catalogue).what.value for strike in scenario.faults)) or "no faults"


def matrix_table(saga: Saga, found: Mapping[int, Tried]) -> Table:
    """Rows are faults, columns are commands; each cell its verdict and how often the fault struck."""
    columns = places(saga)
    table = Table("fault", box=None, pad_edge=False, header_style="bold", title=f"{saga.name}@{saga.version}")
    for place in columns:
        table.add_column(f"{place.step}\n{place.kind}", justify="right")
    verdicts = {(cell.place, cell.fault.name): found[position] for position, cell in enumerate(cells(saga))}
    for fault in CATALOGUE:
        table.add_row(fault.name, *(_cell(verdicts.get((place, fault.name))) for place in columns))
    return table


def verdict(tried: Tried) -> Verdict:
    """What to make of a cell."""
    if tried.failed_seed is not None:
        return Verdict.RED
    return Verdict.GREEN if tried.fired else Verdict.GREY


def _cell(tried: Tried | None) -> Text:
    if tried is None:
        return Text("")
    found = verdict(tried)
    return Text(f"{MARKS[found]} {tried.fired}", STYLES[found])


def summary_words(summary: Summary, seconds: float) -> str:
    """A summary on one line."""
    sagas = sum(summary.statuses.values())
    ended = ", ".join(f"{count:,} {status}" for status, count in sorted(summary.statuses.items()))
    struck = sum(summary.fired.values())
    pace = f"{sagas / seconds:,.0f} sagas a second" if seconds else ""
    return f"{summary.runs:,} runs, {sagas:,} sagas ({ended}), {struck:,} faults struck; {seconds:.1f} s, {pace}"


def unexercised(statuses: Mapping[str, int]) -> Iterator[str]:
    """Where every saga was told no, most of the definition was not run at all, and a green run shows little."""
    if sum(statuses.values()) and not statuses.get("completed"):
        yield "No saga completed, so nothing was shown about what comes behind the step that says no."


def believed(saga: Saga) -> Iterator[str]:
    """What no invariant of ours can know."""
    for step in saga.steps[: max(0, saga.pivot)]:
        if step.undo is None:
            yield f"{step.name} has undo=None: that what it did may stay is believed. An --invariant can say otherwise."


def not_green(saga: Saga, found: Mapping[int, Tried]) -> Iterator[str]:
    """The cells that are not green, in words: a line for each command and verdict."""
    tried_at: defaultdict[Place, list[tuple[Cell, Verdict]]] = defaultdict(list)
    for position, cell in enumerate(cells(saga)):
        if position in found:
            tried_at[cell.place].append((cell, verdict(found[position])))
    for place, tried in tried_at.items():
        for kind in (Verdict.RED, Verdict.GREY):
            names = [cell.fault.name for cell, verdict_of in tried if verdict_of is kind]
            if names:
                all_of_them = f"all {len(names)} faults, so it is not about any of them"
                told = all_of_them if len(names) == len(tried) else ", ".join(names)
                yield f"{kind}: {place.step} {place.kind}: {told}"
