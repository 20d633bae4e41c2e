"""Scenarios for real runs: the same file; what only the other kind of run can do is refused with what this one can."""

from dataclasses import replace
from pathlib import Path

import pytest

from chaos.faults import What
from chaos.presets import PRESETS as SIMULATED
from chaos.real.presets import PRESETS
from chaos.real.scenario import APART_S, setup_of
from chaos.real.setup import Impossible, Setup
from chaos.scenario import InvalidScenario, Scenario
from sagas.order import order
from support.saga_command import saga


def read(text: str, directory: Path) -> Scenario:
    file = directory / "wanted.yaml"
    file.write_text(text)
    return Scenario.load(file)


def test_a_file_says_what_a_real_run_consists_of(tmp_path: Path) -> None:
    scenario = read(
        """
sagas: 90
begun_within_s: 30
cancel_rate: 0.1
most_messages: 40
orchestrators: 3
upgrading: true
invariants: [support.own_invariants:it_is_a_quiet_day]
faults:
  - {fault: kill after participant commit, step: confirm, kind: action, times: 2, probability: 0.5, skip: 1}
  - {fault: flush Redis}
  - {fault: pause Redis, for_s: 1.5}
""",
        tmp_path,
    )

    setup = setup_of(scenario, Setup(participants=("participants.app:payment",)))

    setup.check()
    kill, flush, pause = setup.faults
    assert (setup.sagas, setup.per_s, setup.loaded_s) == (90, 3.0, 30.0)
    assert (setup.most_messages, setup.most_stuck) == (40, 0)
    assert (setup.cancel_rate, setup.orchestrators, setup.instances, setup.upgraded) == (0.1, 3, 2, True)
    assert (kill.step, kill.kind, kill.times, kill.probability, kill.skip) == ("confirm", "action", 2, 0.5, 1)
    assert (flush.what, flush.times, pause.for_s) == (What.FLUSH, None, 1.5)
    assert [one.name for one in setup.invariants] == ["it is a quiet day"]
    assert setup.participants == ("participants.app:payment",)


def test_what_a_file_does_not_say_is_as_in_any_real_run_and_it_lasts_for_its_strikes(tmp_path: Path) -> None:
    usual = Setup(heal_within_s=7)

    setup = setup_of(read("faults: [{fault: kill orchestrator, times: 4}]", tmp_path), usual)

    assert setup == replace(usual, faults=setup.faults, sagas=int(6 * APART_S * usual.per_s))


def test_it_is_called_like_its_file_unless_it_says_otherwise(tmp_path: Path) -> None:
    assert read("sagas: 1", tmp_path).name == "wanted"
    assert read("name: mine", tmp_path).name == "mine"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("faults: [{fault: bus outage at command}]", "a real run has no fault 'bus outage at command'; it has"),
        ("faults: [{fault: bus outage at command}]", "lose group of command, trim command"),
        ("faults: [{fault: kill orchestrator, step: chrage}]", "order has no step 'chrage'; its steps: reserve-stock"),
        ("stock: 5", "wanted: stock is for simulated runs. A real run takes batch, begun_within_s, cancel_rate"),
    ],
)
def test_what_only_a_simulated_run_can_do_is_refused_with_what_a_real_one_can(
    text: str, said: str, tmp_path: Path
) -> None:
    with pytest.raises(InvalidScenario) as raised:
        setup_of(read(text, tmp_path), Setup())
    assert said in str(raised.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "faults: [{fault: flush Redis}]",
            "a simulated run has no fault 'flush Redis'; it has flush command, flush reply",
        ),
        ("members: 3", "members is for real runs"),
    ],
)
def test_what_only_a_real_run_can_do_is_refused_with_what_a_simulated_one_can(
    text: str, said: str, tmp_path: Path
) -> None:
    with pytest.raises(InvalidScenario) as raised:
        read(text, tmp_path).setup(order)
    assert said in str(raised.value)


def test_a_mistyped_fault_is_told_what_was_probably_meant(tmp_path: Path) -> None:
    with pytest.raises(InvalidScenario, match="did you mean 'kill orchestrator'"):
        read("faults: [{fault: kill orchestrators}]", tmp_path)


@pytest.mark.parametrize("aim", ["step: confirm", "kind: action", "skip: 2", "probability: 0.5"])
def test_what_strikes_from_outside_can_not_be_aimed(aim: str, tmp_path: Path) -> None:
    setup = setup_of(read(f"faults: [{{fault: flush Redis, {aim}}}]", tmp_path), Setup())

    with pytest.raises(
        Impossible,
        match=r"it can't be aimed at a step, or left to chance; .* can be: .*lose",
    ):
        setup.check()


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_can_be_run_and_lasts_for_its_strikes(name: str) -> None:
    setup = setup_of(PRESETS[name], Setup())

    setup.check()
    assert PRESETS[name].name == name
    assert setup.loaded_s >= 5 * len(setup.scheduled)


def test_a_file_that_makes_no_sense_is_a_usage_error_before_anything_starts(tmp_path: Path) -> None:
    file = tmp_path / "wet.yaml"
    file.write_text("faults: [{fault: rain}]")

    result = saga("chaos", "run", str(file), "--mode", "real")

    assert (result.exit_code, "there is no fault 'rain'" in result.stderr) == (2, True)


def test_both_kinds_of_presets_and_faults_are_listed_side_by_side() -> None:
    shown = saga("chaos", "ls").stdout
    lines = {line.split("  ")[0]: line for line in shown.splitlines()}

    assert lines.keys() >= {*SIMULATED, *PRESETS, "flush Redis", "flush command"}
    assert lines["kill before participant commit"].count("✔") == 2
    assert "repeat, trim, slow, cut" in lines["flaky-bus"]


def test_a_preset_of_real_runs_only_says_how_it_is_run() -> None:
    result = saga("chaos", "run", "kills")

    assert result.exit_code == 2
    assert "'kills' is a real run: add --mode real" in result.stderr
