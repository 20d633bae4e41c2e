"""Type checkers see into a saga's literal: they report every planted mistake, and nothing in a correct definition."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CORRECT = ROOT / "tests/typing/correct.py"
MISTAKES = ROOT / "tests/typing/planted_mistakes.py"

Checker = Callable[[Path], set[int]]


def run(*command: str) -> str:
    """What the checker prints. It exits with 1 when it found errors."""
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return done.stdout


def mypy(file: Path) -> set[int]:
    """The lines in which mypy finds errors."""
    printed = run("mypy", "--strict", "--no-error-summary", "--hide-error-context", "--no-pretty", str(file))
    return {int(line) for line in re.findall(rf"^[^\n]*{file.name}:(\d+): error", printed, re.MULTILINE)}


def basedpyright(file: Path) -> set[int]:
    """The lines in which (based)pyright finds errors."""
    found = json.loads(run("basedpyright", "--outputjson", str(file)))
    assert found["summary"]["filesAnalyzed"] == 1
    errors = [one for one in found["generalDiagnostics"] if one["severity"] == "error"]
    return {one["range"]["start"]["line"] + 1 for one in errors}


@pytest.fixture(params=[mypy, basedpyright], ids=["mypy", "basedpyright"])
def checker(request: pytest.FixtureRequest) -> Checker:
    module = pytest.importorskip(request.param.__name__)
    assert module
    chosen: Checker = request.param
    return chosen


def marked() -> set[int]:
    lines = MISTAKES.read_text().splitlines()
    return {number for number, line in enumerate(lines, start=1) if "# mistake:" in line}


@pytest.mark.slow
def test_every_planted_mistake_is_reported_and_nothing_else(checker: Checker) -> None:
    assert len(marked()) == 38
    assert checker(MISTAKES) == marked()


@pytest.mark.slow
def test_a_correct_definition_has_no_errors(checker: Checker) -> None:
    assert checker(CORRECT) == set()


def test_a_correct_definition_can_be_built() -> None:
    subprocess.run([sys.executable, str(CORRECT)], cwd=ROOT, env={"PYTHONPATH": str(ROOT)}, check=True)
