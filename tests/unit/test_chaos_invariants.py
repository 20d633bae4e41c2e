"""Invariants of the user's own: what they see, how they say it, and what becomes of their mistakes."""

import json
from pathlib import Path

import pytest

from chaos.campaign import matrix, runs
from chaos.invariants import MOST_VIOLATIONS, Invariant
from chaos.pytest_plugin import EveryFault
from chaos.record import Record
from chaos.scenario import Scenario
from chaos.shrink import shrink
from chaos.sim.run import Result, run
from sagas import InvalidDefinition
from sagas.order import order
from support import own_invariants
from support.saga_command import saga

ORDER = "sagas.order:order"
HOLDS = "support.own_invariants:nobody_pays_for_what_is_not_reserved"
BROKEN = "support.own_invariants:no_order_is_confirmed"


def result(*references: str, sagas: int = 3) -> Result:
    return run(Scenario(sagas=sagas, invariants=references).setup(order), 0)


def test_one_that_holds_adds_nothing() -> None:
    assert result(HOLDS).held


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("no_order_is_confirmed", "no order is confirmed: is confirmed (saga saga-0)"),
        ("it_is_a_quiet_day", "it is a quiet day: customers came"),
        ("it_does_not_count", "it does not count: gave 7; it is to yield words, or a saga's id and words"),
        ("it_stumbles", "it stumbles: raised KeyError: 'no-such-field' (own_invariants.py, line 41)"),
    ],
)
def test_what_it_finds_or_does_wrong_is_a_violation_in_its_name(name: str, said: str) -> None:
    assert said in map(str, result(f"support.own_invariants:{name}").violations)


def test_of_one_that_never_ends_to_complain_enough_is_heard() -> None:
    def it_complains(_case: object) -> object:
        while True:
            yield "again"

    assert len(list(Invariant.of(it_complains).violations(None))) == MOST_VIOLATIONS  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ("support.own_invariants", "has more than one: write support.own_invariants:"),
        ("support.own_invariants:no_order_confirmed", "Did you mean 'no_order_is_confirmed'?"),
        ("support.own_invariants:no_function", "is not a function"),
        ("support.own_invariants:it_waits", "it is async"),
        ("support.own_invariants:it_wants_more", "write it_wants_more(case: chaos.checker.Case)"),
        ("no.such:function", "there is no module 'no.such'"),
    ],
)
def test_what_can_be_none_is_refused_before_anything_runs(reference: str, said: str) -> None:
    with pytest.raises(InvalidDefinition) as raised:
        result(reference)
    assert said in str(raised.value)

    refused = saga("chaos", "run", "--invariant", reference)
    assert (refused.exit_code, said in refused.stderr, "Traceback" in refused.stderr) == (2, True, False)


def test_what_is_no_function_is_refused_also_where_it_is_no_name() -> None:
    with pytest.raises(InvalidDefinition, match="it is not a function"):
        Invariant.of(own_invariants.no_function)


def test_a_run_that_breaks_one_is_made_smaller_and_recorded_with_it(tmp_path: Path) -> None:
    smallest = shrink(result(HOLDS, BROKEN))
    assert smallest.setup.sagas == 1

    Record.of(ORDER, smallest).write(tmp_path / "run.json")

    again = Record.read(tmp_path / "run.json").run()
    assert again.violations == smallest.violations != []


def test_other_processes_check_them_too() -> None:
    (summary,) = runs(ORDER, Scenario(sagas=1), [0], invariants=[BROKEN], processes=1)
    assert summary.failed == ((0, "no order is confirmed: is confirmed (saga saga-0)"),)

    first = next(matrix(ORDER, 1, invariants=[BROKEN], processes=1))
    assert first.failed_seed == 0


def test_on_the_command_line_and_again_when_it_is_replayed(tmp_path: Path) -> None:
    scenario = tmp_path / "quiet.yaml"
    scenario.write_text("sagas: 2")
    where = ("--records", str(tmp_path), "--report", str(tmp_path), "--processes", "1")
    failed = saga("chaos", "run", str(scenario), "--invariant", BROKEN, "--invariant", HOLDS, *where)
    assert failed.exit_code == 1
    assert "no order is confirmed: is confirmed" in failed.stderr
    assert f"--invariant {BROKEN}" in (tmp_path / "report.html").read_text()
    assert 'name="no order is confirmed"><failure' in (tmp_path / "junit.xml").read_text()

    (recorded,) = tmp_path.glob("*.json")
    assert saga("chaos", "replay", str(recorded)).stdout.endswith("FAILED\n")

    told = json.loads(recorded.read_text())
    assert told["scenario"].pop("invariants") == [BROKEN, HOLDS]
    recorded.write_text(json.dumps(told))
    assert saga("chaos", "replay", str(recorded)).exit_code == 0
    assert saga("chaos", "replay", str(recorded), "--invariant", BROKEN).exit_code == 1


def test_in_pytest_they_are_given_as_functions(every_fault: EveryFault) -> None:
    with pytest.raises(pytest.fail.Exception, match="no order is confirmed: is confirmed"):
        every_fault(
            order,
            invariants=[own_invariants.nobody_pays_for_what_is_not_reserved, own_invariants.no_order_is_confirmed],
        )
