"""Scenarios: checked before anything is run, and the same again after they were written down."""

from dataclasses import replace
from pathlib import Path

import pytest

from chaos.presets import PRESETS
from chaos.record import Record
from chaos.scenario import InvalidScenario, Scenario
from chaos.shrink import shrink
from chaos.sim.run import run
from chaos.story import story
from chaos.swarm import swarm
from sagas.order import order


def test_a_scenario_is_read_from_yaml(tmp_path: Path) -> None:
    file = tmp_path / "scenario.yaml"
    file.write_text(
        "name: mine\nsagas: 3\nfaults:\n- {fault: kill after orchestrator save, step: confirm, times: 1, for_s: 5}\n"
    )

    setup = Scenario.load(file).setup(order)

    assert (setup.sagas, setup.faults[0].step, setup.faults[0].times, setup.faults[0].for_s) == (3, "confirm", 1, 5.0)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("- 1", "a scenario is a mapping"),
        ("sagas: [", "is not YAML"),
        ("sagas: 0", "sagas: Input should be greater than or equal to 1"),
        ("saga: 1", "saga: Extra inputs are not permitted"),
        ("faults: [{fault: rain}]", "there is no fault 'rain'; `saga chaos ls` lists them"),
        ("faults: [{fault: lose reply, probability: 2}]", "faults.0.probability"),
    ],
)
def test_a_scenario_that_makes_no_sense_is_explained(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "scenario.yaml"
    file.write_text(text)

    with pytest.raises(InvalidScenario) as raised:
        Scenario.load(file)

    assert said in str(raised.value)


def test_a_step_that_the_saga_does_not_have_is_named() -> None:
    scenario = Scenario(name="mine", rejecting=("chrage-payment",))

    with pytest.raises(InvalidScenario, match="order has no step 'chrage-payment'; its steps: reserve-stock"):
        scenario.setup(order)


@pytest.mark.parametrize("name", PRESETS)
def test_a_scenario_can_be_written_down_and_read_again(name: str) -> None:
    setup = PRESETS[name].setup(order)

    again = Scenario.parse(Scenario.of(name, setup).to_json(), name).setup(order)

    assert replace(again, newer=setup.newer) == setup
    assert (again.newer is None) == (setup.newer is None)


@pytest.mark.parametrize("seed", range(20))
def test_a_recorded_run_is_the_run_again(tmp_path: Path, seed: int) -> None:
    result = run(swarm(order, seed), seed)
    Record.of("sagas.order:order", result).write(tmp_path / "run.json")

    again = Record.read(tmp_path / "run.json").run()

    assert again.trace == result.trace


def test_a_run_that_fails_is_made_as_small_as_it_fails() -> None:
    noisy = Scenario(
        sagas=12,
        most_messages=6,
        cancel_rate=0.2,
        interfering=True,
        faults=(
            {"fault": "lose reply", "probability": 0.3},  # type: ignore[arg-type]
            {"fault": "conflict at orchestrator save", "probability": 0.3},
            {"fault": "kill after participant commit", "probability": 0.1},
        ),
    )
    failed = run(noisy.setup(order), 0)
    assert {violation.invariant for violation in failed.violations} == {"sagas cost little"}

    smallest = shrink(failed)

    assert not smallest.held
    assert (smallest.setup.sagas, smallest.setup.interfering, smallest.setup.orchestrators) == (1, False, 1)
    assert [(fault.name, fault.times) for fault in smallest.setup.faults] == [("lose reply", 1)]


def test_what_is_wrong_with_the_saga_itself_is_shown_without_any_fault() -> None:
    silent = Scenario(
        sagas=2,
        invariants=("support.own_invariants:nobody_is_refused",),
        faults=({"fault": "lose reply", "step": "charge-payment", "kind": "action"},),  # type: ignore[arg-type]
        troubled_s=200,
    )
    failed = run(silent.setup(order), 0)
    assert not failed.held

    smallest = shrink(failed)

    assert not smallest.setup.faults
    assert smallest.setup.rejecting == {"reserve-stock"}


def test_the_story_of_a_saga_shows_what_struck_and_what_followed() -> None:
    scenario = Scenario(sagas=1, orchestrators=1, faults=({"fault": "lose reply", "step": "confirm", "times": 1},))  # type: ignore[arg-type]
    result = run(scenario.setup(order), 0)

    told = story("saga-0", result.trace, result.evidence.sagas[0]).splitlines()

    assert told[0] == "saga saga-0"
    assert any("✘ bus: lose reply confirm action" in line for line in told)
    assert [line.split("──▶ ")[1] for line in told if "──▶" in line] == [
        "reserve-stock action attempt 1",
        "charge-payment action attempt 1",
        "confirm action attempt 1",
        "confirm action attempt 1",
    ]
    assert told[-1].strip() == "completed: reserve-stock succeeded, charge-payment succeeded, confirm succeeded"
