"""Mistakes planted into a copy of the project, as tests of the failure runs: each is one that others have made.

A mistake is a change of the text, so nothing in the product has to be made for it. Each comes with the scenario that
shows it; the same scenario holds on the tree as it is.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from support.source import ROOT

PACKAGES = ("sagas", "adapters", "orchestrator", "participants", "chaos")

Faults = Sequence[dict[str, Any]]


@dataclass(frozen=True)
class Edit:
    """One change of a file."""

    file: str
    old: str
    new: str

    def apply(self, root: Path) -> None:
        path = root / self.file
        text = path.read_text()
        assert text.count(self.old) == 1, f"{self.file} has changed: {self.old!r} is there {text.count(self.old)} times"
        path.write_text(text.replace(self.old, self.new))


@dataclass(frozen=True)
class Planted:
    """A mistake."""

    name: str
    edits: Sequence[Edit]
    shows: str  #: one of the invariants that it violates
    faults: Faults = ()
    seeds: int = 10
    options: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.name

    def scenario(self) -> dict[str, Any]:
        """The scenario that shows it."""
        return {"name": self.name[:60], "sagas": 10, "faults": list(self.faults), **self.options}


def plant(edits: Sequence[Edit], directory: Path) -> None:
    """Copy the project there, with these changes."""
    for package in PACKAGES:
        shutil.copytree(ROOT / package, directory / package, ignore=shutil.ignore_patterns("__pycache__"))
    for edit in edits:
        edit.apply(directory)


_RUN = """
import json, sys
from chaos.scenario import Scenario
from chaos.sim.run import run
from sagas.order import order
scenario = Scenario.parse(json.loads(sys.argv[1]), "planted")
for seed in range(int(sys.argv[2])):
    if violations := run(scenario.setup(order), seed).violations:
        print(json.dumps([seed, sorted({violation.invariant for violation in violations})]))
        break
"""


def found_in(planted: Planted, directory: Path) -> tuple[int, list[str]] | None:
    """The first seed that shows something on a copy of the project with the mistake, and the invariants it violates."""
    plant(planted.edits, directory)
    run = subprocess.run(
        [sys.executable, "-c", _RUN, json.dumps(planted.scenario()), str(planted.seeds)],
        cwd=directory,
        env={**os.environ, "PYTHONPATH": str(directory)},
        capture_output=True,
        text=True,
        timeout=100,
        check=True,
    )
    if not run.stdout:
        return None
    seed, invariants = json.loads(run.stdout)
    return seed, invariants
