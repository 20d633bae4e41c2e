"""Type checkers see into a saga's literal: they report every planted mistake, and nothing in a correct definition."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CORRECT = ROOT / "tests/typing/correct.py"
MISTAKES = ROOT / "tests/typing/planted_mistakes.py"

FILES = (CORRECT, MISTAKES)

Errors = dict[str, set[int]]  #: the lines with errors, by the file's name


def run(*command: str) -> str:
    """What the checker prints. It exits with 1 when it found errors."""
    done = subprocess.run(
        [sys.executable, "-m", *command, *map(str, FILES)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return done.stdout


def mypy() -> Errors:
    """What mypy finds."""
    printed = run("mypy", "--strict", "--no-error-summary", "--hide-error-context", "--no-pretty")
    return {
        file.name: {int(line) for line in re.findall(rf"^[^\n]*{file.name}:(\d+): error", printed, re.MULTILINE)}
        for file in FILES
    }


def basedpyright() -> Errors:
    """What (based)pyright finds."""
    found = json.loads(run("basedpyright", "--outputjson"))
    assert found["summary"]["filesAnalyzed"] == len(FILES)
    errors = [one for one in found["generalDiagnostics"] if one["severity"] == "error"]
    return {
        file.name: {one["range"]["start"]["line"] + 1 for one in errors if Path(one["file"]).name == file.name}
        for file in FILES
    }


@pytest.fixture(scope="module", params=[mypy, basedpyright], ids=["mypy", "basedpyright"])
def errors(request: pytest.FixtureRequest) -> Errors:
    """Of one checker, which is started once for both files."""
    pytest.importorskip(request.param.__name__)
    found: Errors = request.param()
    return found


def marked() -> set[int]:
    lines = MISTAKES.read_text().splitlines()
    return {number for number, line in enumerate(lines, start=1) if "# mistake:" in line}


@pytest.mark.slow
def test_every_planted_mistake_is_reported_and_nothing_else(errors: Errors) -> None:
    assert len(marked()) == 38
    assert errors[MISTAKES.name] == marked()


@pytest.mark.slow
def test_a_correct_definition_has_no_errors(errors: Errors) -> None:
    assert errors[CORRECT.name] == set()


def test_a_correct_definition_can_be_built() -> None:
    subprocess.run([sys.executable, str(CORRECT)], cwd=ROOT, env={"PYTHONPATH": str(ROOT)}, check=True)
