"""docs/security.md is about tests that exist."""

import ast
import re

import pytest

from support.source import ROOT

TEXT = (ROOT / "docs/security.md").read_text()
NAMED = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", TEXT)
DONE = {f"S{n}" for n in (1, 2, 4, 5, 6, 7, 8, 10, 11, 12, 14, 15, 16, 18, 23, 24)}


@pytest.mark.parametrize(("file", "name"), sorted(set(NAMED)))
def test_a_named_test_exists(file: str, name: str) -> None:
    tree = ast.parse((ROOT / file).read_text())
    found = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    assert not name or name in found
    assert any(each.startswith("test_") for each in found)


def test_every_row_names_a_test() -> None:
    rows = dict(re.findall(r"^\| (S\d+) \|(.*)$", TEXT, re.MULTILINE))
    assert rows.keys() == DONE
    assert all("`tests/" in row for row in rows.values())
