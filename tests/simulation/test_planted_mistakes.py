"""The failure runs find what they are for: mistakes that are planted into a copy of the project."""

import time
from pathlib import Path

import pytest

from chaos.scenario import Scenario
from chaos.sim.run import run
from sagas.order import order
from support.planted import Planted, found_in
from support.planted_mistakes import PLANTED
from support.running import say

every_mistake = pytest.mark.parametrize("planted", PLANTED, ids=str)


@every_mistake
def test_a_planted_mistake_is_found(planted: Planted, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    begun = time.monotonic()
    found = found_in(planted, tmp_path)

    assert found is not None, "no seed shows it"
    say(capsys, f"{planted}: seed {found[0]}, {time.monotonic() - begun:.1f} s, {found[1]}")
    assert planted.shows in found[1], found


@every_mistake
def test_its_scenario_holds_on_the_tree_as_it_is(planted: Planted) -> None:
    scenario = Scenario.parse(planted.scenario(), planted.name)

    assert not run(scenario.setup(order), 0).violations
