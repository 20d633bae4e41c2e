"""A diagnosis as people and as programs see it. Pure."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from adapters.urls import masked
from cli.doctor.check import Check, Status

#: Mark and style. Colour never stands alone: the mark says it too.
MARKS = {
    Status.OK: ("✔", "green"),
    Status.WARNING: ("!", "yellow"),
    Status.FAILED: ("✘", "bold red"),
    Status.UNKNOWN: ("?", "dim"),
}


def as_json(mongo_url: str | None, redis_url: str | None, url: str | None, checks: Sequence[Check]) -> dict[str, Any]:
    """For programs. A URL without a password is whole, so that they can connect with it; a password is masked."""
    return {
        "mongo_url": mongo_url and masked(mongo_url),
        "redis_url": redis_url and masked(redis_url),
        "url": url and masked(url),
        "ok": not has_failed(checks),
        "checks": [asdict(check) for check in checks],
    }


def has_failed(checks: Sequence[Check]) -> bool:
    """Whether something is wrong, not only worth a look."""
    return any(check.status is Status.FAILED for check in checks)


def as_text(mongo_url: str | None, redis_url: str | None, url: str | None, checks: Sequence[Check]) -> RenderableType:
    """For people: where it looked, a line for each check, what to do under each problem, and a line at the end."""
    where = [
        ("service", url and masked(url)),
        ("MongoDB", mongo_url and masked(mongo_url)),
        ("Redis", redis_url and masked(redis_url)),
    ]
    lines: list[RenderableType] = [Text(f"{name:<9}{found or 'not known here'}", "dim") for name, found in where]
    table = Table.grid(padding=(0, 2, 0, 0))
    for check in checks:
        if not _is_hidden(check):
            mark, style = MARKS[check.status]
            remedy = f"\n→ {check.remedy}" if check.remedy else ""
            table.add_row(Text(mark, style), Text(check.name, style, no_wrap=True), Text(check.detail + remedy))
    return Group(*lines, Text(), table, *_not_looked_at(checks), Text(), _end(checks))


def _not_looked_at(checks: Sequence[Check]) -> list[Text]:
    """What can't be known because a server is away: one line for all of it."""
    names: defaultdict[str, list[str]] = defaultdict(list)
    for check in checks:
        if _is_hidden(check):
            names[check.detail].append(check.name)
    return [Text(f"? {reason}, so not looked at: {', '.join(hidden)}", "dim") for reason, hidden in names.items()]


def _is_hidden(check: Check) -> bool:
    return check.status is Status.UNKNOWN and not check.remedy


def _end(checks: Sequence[Check]) -> Text:
    count = Counter(check.status for check in checks)
    said = [f"{count[status]} {status.value}" for status in Status if count[status]]
    return Text(", ".join(said), "bold red" if has_failed(checks) else "bold")
