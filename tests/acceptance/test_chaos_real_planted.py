"""Real runs find what they are for: mistakes that are planted into what all services run.

The default run plants one; `SAGA_SOAK=1` has each of them found, and sees each one's run hold without it.
"""

import os
from collections import Counter
from pathlib import Path

import pytest

from chaos.real.run import run
from support.planted_real import PLANTED_REAL, PlantedReal
from support.running import say

soak = pytest.mark.skipif(os.environ.get("SAGA_SOAK") != "1", reason="a long run: SAGA_SOAK=1")
first, *others = PLANTED_REAL


@pytest.mark.timeout(240)
@pytest.mark.parametrize("planted", [first, *(pytest.param(each, marks=soak) for each in others)], ids=str)
def test_a_planted_mistake_is_found(planted: PlantedReal, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = run(planted.setup(tmp_path / "source"), seed=1, records=tmp_path / "records")

    found = Counter(violation.invariant for violation in result.violations)
    struck = ", ".join(f"{fault.name} {times} times" for fault, times in result.fired.items())
    say(capsys, f"{planted}: {struck}; {result.took_s:.0f} s; {dict(found)}")
    assert not result.silent
    assert found.keys() & set(planted.shows), result.record
    assert result.record is not None
    assert result.record.parent == tmp_path / "records"
    assert str(result.violations[0]) in (result.record / "violations.txt").read_text()
    assert (result.record / "logs" / "orchestrator-1.log").stat().st_size


@soak
@pytest.mark.timeout(240)
@pytest.mark.parametrize("planted", PLANTED_REAL, ids=str)
def test_its_run_holds_on_the_tree_as_it_is(planted: PlantedReal, tmp_path: Path) -> None:
    result = run(planted.setup(), seed=1, records=tmp_path)

    assert result.held, [*map(str, result.violations[:10])]
    assert not result.silent
