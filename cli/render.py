"""Sagas as people see them: a tree of steps for one, a table for many. Pure: JSON in, something to print out."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from rich.table import Table
from rich.text import Text
from rich.tree import Tree

Json = dict[str, Any]

#: Mark and style of each status of a step or saga. Colour never stands alone: the mark and the word say it too.
MARKS = {
    "pending": ("·", "dim"),
    "running": ("▶", "cyan"),
    "succeeded": ("✔", "green"),
    "rejected": ("✘", "red"),
    "unknown": ("?", "yellow"),
    "compensating": ("↶", "yellow"),
    "compensated": ("↶", "magenta"),
    "skipped": ("⤼", "blue"),
    "completed": ("✔", "green"),
    "stuck": ("!", "bold red"),
}


def saga_tree(saga: Json) -> Tree:
    """One saga: its steps, why it failed, and what it waits for."""
    tree = Tree(_headline(saga), guide_style="dim")
    for step in saga["steps"]:
        tree.add(_step(step))
    failure = saga.get("failure")
    if failure and not _shown_by_its_step(saga, failure):
        tree.add(Text(f"because {fault_words(failure)}", "red"))
    if waiting := saga.get("waiting_for"):
        tree.add(Text(waiting, "cyan"))
    return tree


def saga_table(sagas: Sequence[Json], now: datetime) -> Table:
    """Many sagas, a line each."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("id", "saga", "status", "steps", "age", "failure"):
        table.add_column(column, no_wrap=True, overflow="ellipsis" if column == "failure" else "fold")
    for saga in sagas:
        failure = saga.get("failure")
        table.add_row(
            saga["id"],
            f"{saga['saga']}@{saga['version']}",
            marked(saga["status"]),
            _marks(saga["steps"]),
            age(now - datetime.fromisoformat(saga["created_at"])),
            fault_words(failure) if failure else "",
        )
    return table


def marked(status: str) -> Text:
    """A status with its mark."""
    mark, style = MARKS.get(status, ("·", ""))
    return Text(f"{mark} {status}", style)


def fault_words(fault: Json) -> str:
    """A failure or a step's error on one line."""
    where = f"{fault['step']}: " if fault.get("step") else ""
    return f"{where}{fault['code']}{_detail(fault)}"


def age(span: timedelta) -> str:
    """A span of time in its largest unit."""
    total_s = max(0, int(span.total_seconds()))
    for unit, unit_s in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if total_s >= unit_s:
            return f"{total_s // unit_s}{unit}"
    return f"{total_s}s"


def took(saga_or_step: Json) -> str:
    """How long it took, where it has ended."""
    begun = saga_or_step.get("started_at") or saga_or_step.get("created_at")
    ended = saga_or_step.get("ended_at")
    if not begun or not ended:
        return ""
    span_ms = (datetime.fromisoformat(ended) - datetime.fromisoformat(begun)) / timedelta(milliseconds=1)
    return f"{max(0, span_ms):,.0f} ms" if span_ms < 10_000 else f"{span_ms / 1000:,.1f} s"


def _headline(saga: Json) -> Text:
    return Text.assemble(
        (saga["saga"], "bold"), " ", saga["id"], "  ", marked(saga["status"]), ("  " + took(saga)).rstrip()
    )


def _shown_by_its_step(saga: Json, failure: Json) -> bool:
    errors = {step["name"]: step.get("error") for step in saga["steps"]}
    error = errors.get(failure.get("step"))
    return error is not None and error["code"] == failure["code"]


def _step(step: Json) -> Text:
    mark, style = MARKS.get(step["status"], ("·", ""))
    line = Text.assemble(
        (f"{mark} ", style), f"{step['name']:<18} ", (f"{step['status']:<12}", style), f" {took(step):>9}"
    )
    if step.get("attempts", 0) > 1:
        line.append(f"  attempt {step['attempts']}")
    if error := step.get("error"):
        line.append(f"  {error['code']}{_detail(error)}", "red")
    line.rstrip()
    return line


def _marks(steps: Sequence[Json]) -> Text:
    return Text.assemble(*(MARKS.get(step["status"], ("·", "")) for step in steps))


def _detail(fault: Json) -> str:
    return f" ({fault['detail']})" if fault.get("detail") else ""
