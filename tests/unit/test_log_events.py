"""The names of log events are a promise: docs/observability.md has them all, with their levels."""

import ast
import re

from support.source import ROOT, python

PRODUCT = ("sagas", "adapters", "orchestrator", "participants", "cli", "client")
LEVELS = {"exception": "error"}  #: what the methods are called whose names are no levels

_ROW = re.compile(r"^\| `([a-z-]+)` \| ([a-z, ]+) \| .+ \|$", re.MULTILINE)


def logged() -> set[tuple[str, str]]:
    """Each event in the code, with each level at which it is logged."""
    found = set()
    for source in python():
        if source.name.split("/")[0] not in PRODUCT:
            continue
        for node in ast.walk(source.tree):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            if isinstance(node.func.value, ast.Name) and node.func.value.id in ("log", "_log"):
                name = node.args[0]
                assert isinstance(name, ast.Constant), f"{source.name}:{node.lineno}: an event's name is written out"
                found.add((str(name.value), LEVELS.get(node.func.attr, node.func.attr)))
    return found


def documented() -> set[tuple[str, str]]:
    """Each event in the documentation, with its levels."""
    section = (ROOT / "docs" / "observability.md").read_text().partition("## Logs")[2].partition("## Metrics")[0]
    return {(name, level) for name, levels in _ROW.findall(section) for level in levels.split(", ")}


def test_every_event_is_documented_with_its_level_and_no_other_is() -> None:
    assert logged() == documented()


def test_names_are_words_with_hyphens() -> None:
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", name) for name, _ in logged())
