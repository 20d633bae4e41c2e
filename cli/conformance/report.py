"""The sheet as people see it. Pure."""

from collections.abc import Iterable, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from chaos.conformance.language import Check
from chaos.conformance.sheet import Result, Sheet, Status, conversation

#: Mark and style. Colour never stands alone: the mark says it too.
MARKS = {
    Status.PASSED: ("✔", "green"),
    Status.FAILED: ("✘", "bold red"),
    Status.ADVICE: ("!", "yellow"),
    Status.SKIPPED: ("-", "dim"),
    Status.UNREACHED: ("?", "bold red"),
}


def as_text(sheet: Sheet, *, whole: bool) -> RenderableType:
    """A line for each check; below one that failed, or below all, what is required and why, and what was said."""
    table = _table()
    for result in sheet.results:
        mark, style = MARKS[result.status]
        table.add_row(Text(mark, style), Text(result.check.name, style, no_wrap=True), _said(result, whole=whole))
    notes = [Text(f"{note}\n", "dim") for note in sheet.notes]
    where = Text(f"{sheet.stream}, group {sheet.group}; seen by {sheet.seen_by}\n", "dim")
    return Group(where, table, Text(), *notes, _end(sheet))


def listed(checks: Sequence[Check]) -> RenderableType:
    """Every check, with what it stands for."""
    table = _table()
    for check in checks:
        needs = "".join(f"\n{need.value}" for need in sorted(check.needs))
        weight = "" if check.required else "\nnot required"
        table.add_row(
            Text(), Text(check.name, "bold", no_wrap=True), _lines([check.says, *_duty(check)], needs + weight)
        )
    return table


def _table() -> Table:
    return Table.grid(padding=(0, 2, 0, 0))


def _said(result: Result, *, whole: bool) -> Text:
    if result.status in (Status.SKIPPED, Status.UNREACHED):
        return Text(f"{result.check.says} {result.status.capitalize()}: {result.reason}.", "dim")
    if result.status is Status.PASSED and not whole:
        return Text(result.check.says)
    return _lines(
        [result.check.says, *(f"✘ {fault}" for fault in result.faults), *_duty(result.check)], conversation(result)
    )


def _duty(check: Check) -> list[str]:
    return [f"must: {check.duty.must}", f"why:  {check.duty.why}"]


def _lines(lines: Iterable[str], dim: Iterable[str] | str) -> Text:
    tail = dim if isinstance(dim, str) else "".join(f"\n{line}" for line in dim)
    return Text.assemble("\n".join(lines), (tail, "dim"))


def _end(sheet: Sheet) -> Text:
    said = ", ".join(f"{sheet.count(status)} {status.value}" for status in Status if sheet.count(status))
    return Text(said, "bold" if sheet.ok else "bold red")
