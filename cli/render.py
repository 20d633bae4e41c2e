"""Sagas as people see them: a tree of steps for one, a table for many, a line for a change. Pure: values to print."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from client import DeadLetter, Failure, HistoryEntry, SagaInstance, Step, StepError, Transition

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


def saga_tree(saga: SagaInstance[Any], now: datetime | None = None) -> Tree:
    """One saga: its steps, why it failed, and what it waits for; with `now` also how long it has run so far."""
    tree = Tree(_headline(saga, now), guide_style="dim")
    for step in saga.steps:
        tree.add(_step(step, now))
    if saga.failure and not _shown_by_its_step(saga, saga.failure):
        tree.add(Text(f"because {failure_words(saga.failure)}", "red"))
    if saga.waiting_for:
        tree.add(Text(saga.waiting_for, "cyan"))
    return tree


def saga_table(sagas: Sequence[SagaInstance[Any]], now: datetime) -> Table:
    """Many sagas, a line each."""
    table = plain_table("id", "saga", "status", "steps", "age", "failure")
    for saga in sagas:
        table.add_row(
            saga.id,
            f"{saga.saga}@{saga.version}",
            marked(saga.status),
            _marks(saga.steps),
            age(now - saga.created_at),
            cut(failure_words(saga.failure) if saga.failure else ""),
        )
    return table


def saga_line(saga: SagaInstance[Any]) -> Text:
    """One saga on one line."""
    return Text.assemble((saga.saga, "bold"), " ", saga.id, "  ", marked(saga.status))


def history_table(entries: Sequence[HistoryEntry]) -> Table:
    """Transitions, oldest first."""
    table = plain_table("rev", "at (UTC)", "status", "what", "step", "attempt", "why")
    for entry in entries:
        many = f" x{entry.count}" if entry.count > 1 else ""
        table.add_row(
            str(entry.revision),
            entry.at.strftime("%Y-%m-%d %H:%M:%S.%f")[:-3],
            marked(entry.status),
            ", ".join(entry.events) + many,
            entry.step or "",
            str(entry.attempt or ""),
            cut(" ".join(filter(None, [entry.code, f"({entry.detail})" if entry.detail else ""]))),
        )
    return table


def letter_table(letters: Sequence[DeadLetter], now: datetime) -> Table:
    """Messages that could not be handled, a line each."""
    table = plain_table("id", "stream", "age", "saga", "redrives", "reason")
    for letter in letters:
        redrives = str(letter.redrives or "")
        table.add_row(
            letter.id, letter.stream, age(now - letter.at), letter.saga_id or "", redrives, cut(letter.reason)
        )
    return table


def transition_line(transition: Transition) -> Text:
    """One change on one line, when it has happened."""
    at = transition.at.astimezone().strftime("%H:%M:%S.%f")[:-3]
    line = Text.assemble((at, "dim"), "  ", (transition.saga, "bold"), f" {transition.saga_id}  ")
    line.append_text(marked(transition.status, width=14))
    line.append(f" {', '.join(transition.events)}")
    if transition.step:
        line.append(f" {transition.step}")
    if transition.attempt and transition.attempt > 1:
        line.append(f" (attempt {transition.attempt})")
    if transition.code:
        line.append(f" {transition.code}", "red")
    return line


def plain_table(*columns: str) -> Table:
    """A table without lines. Where it is too wide, the last column gives way: `cut` what may be long in it."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, no_wrap=column != columns[-1])
    return table


def cut(text: str) -> Text:
    """Text on one line, however little room there is: the rest of it is left out."""
    return Text(" ".join(text.split()), no_wrap=True, overflow="ellipsis")


def marked(status: str, width: int = 0) -> Text:
    """A status with its mark."""
    mark, style = MARKS.get(status, ("·", ""))
    return Text(f"{mark} {status}".ljust(width), style)


def failure_words(failure: Failure) -> str:
    """A failure on one line."""
    where = f"{failure.step}: " if failure.step else ""
    return f"{where}{_words(failure)}"


def age(span: timedelta) -> str:
    """A span of time in its largest unit."""
    total_s = max(0, int(span.total_seconds()))
    for unit, unit_s in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if total_s >= unit_s:
            return f"{total_s // unit_s}{unit}"
    return f"{total_s}s"


def took(begun: datetime | None, ended: datetime | None, now: datetime | None = None) -> str:
    """How long it took, where it has ended; with `now` how long it has taken so far."""
    if begun is None or (ended is None and now is None):
        return ""
    span_ms = max(0.0, ((ended or now or begun) - begun) / timedelta(milliseconds=1))
    if ended is None:
        return f"{span_ms / 1000:,.1f} s …"
    return f"{span_ms:,.0f} ms" if span_ms < 10_000 else f"{span_ms / 1000:,.1f} s"


def _headline(saga: SagaInstance[Any], now: datetime | None) -> Text:
    time = took(saga.created_at, saga.ended_at, now)
    return Text.assemble((saga.saga, "bold"), " ", saga.id, "  ", marked(saga.status), f"  {time}".rstrip())


def _shown_by_its_step(saga: SagaInstance[Any], failure: Failure) -> bool:
    errors = {step.name: step.error for step in saga.steps}
    error = errors.get(failure.step or "")
    return error is not None and error.code == failure.code


def _step(step: Step, now: datetime | None) -> Text:
    mark, style = MARKS.get(step.status, ("·", ""))
    under_way = now if step.status in ("running", "compensating") else None
    time = took(step.started_at, step.ended_at, under_way)
    line = Text.assemble((f"{mark} ", style), f"{step.name:<18} ", (f"{step.status:<12}", style), f" {time:>9}")
    if step.attempts > 1:
        line.append(f"  attempt {step.attempts}")
    if step.error:
        line.append(f"  {_words(step.error)}", "red")
    line.rstrip()
    return line


def _marks(steps: Sequence[Step]) -> Text:
    return Text.assemble(*(MARKS.get(step.status, ("·", "")) for step in steps))


def _words(fault: Failure | StepError) -> str:
    return f"{fault.code} ({fault.detail})" if fault.detail else fault.code
