"""`make bench` from end to end, as small as it goes. A minute of starting processes: with SAGA_SOAK=1 only."""

import json
import os
import sys
from asyncio import create_subprocess_exec, subprocess
from pathlib import Path

import pytest

from benchmarks.cases import QUICK, closed, offered, with_other_driver
from benchmarks.report import page
from support.source import ROOT


@pytest.mark.slow
@pytest.mark.skipif(os.environ.get("SAGA_SOAK") != "1", reason="takes a minute; SAGA_SOAK=1")
async def test_the_suite_measures_everything_and_its_page_can_be_made(tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    process = await create_subprocess_exec(
        *(sys.executable, "-m", "benchmarks.suite", "--quick", "--to", str(file)), cwd=ROOT, stderr=subprocess.PIPE
    )
    _, said = await process.communicate()
    assert process.returncode == 0, said.decode()

    found = json.loads(file.read_text())
    cases = (*closed(QUICK), *offered(QUICK, 100), *with_other_driver(QUICK))
    assert found["runs"].keys() == {"floor", *(case.name for case in cases)}
    assert not [name for name, runs in found["runs"].items() if any("failed" in run for run in runs)]
    assert "not measured" not in page(found, None, None)
