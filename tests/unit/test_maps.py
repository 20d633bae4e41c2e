"""The packages with many modules open with a map: every module has its line, and every line its module."""

import ast
import re
from pathlib import Path

import pytest

from support.source import ROOT

MAPPED = ("orchestrator", "orchestrator/api", "adapters/streams")
_NAMES = re.compile(r"    (\w+(?:, \w+)*)(?:  +\S.*)?")
_MENTION = re.compile(r"`([a-z_]+(?:\.[a-z_]+)*)`")


def modules(package: Path) -> set[str]:
    found = {path.stem for path in package.glob("*.py")} | {path.parent.name for path in package.glob("*/__init__.py")}
    return found - {"__init__"}


def map_of(package: Path) -> str:
    return ast.get_docstring(ast.parse((package / "__init__.py").read_text()), clean=False) or ""


@pytest.mark.parametrize("name", MAPPED)
def test_each_module_has_one_line_in_its_packages_map(name: str) -> None:
    package = ROOT / name
    lines = [hit[1].split(", ") for line in map_of(package).splitlines() if (hit := _NAMES.fullmatch(line))]
    named = [module for each in lines for module in each]

    assert sorted(named) == sorted(modules(package))


@pytest.mark.parametrize("name", MAPPED)
def test_each_way_leads_through_modules_that_are_there(name: str) -> None:
    package = ROOT / name
    ways = map_of(package).split("\n\n")[1]

    assert _MENTION.search(ways)
    for mention in _MENTION.findall(ways):
        beginning = ROOT if mention.startswith("orchestrator.") else package
        path = beginning / mention.replace(".", "/")
        assert path.with_suffix(".py").exists() or path.is_dir(), mention
