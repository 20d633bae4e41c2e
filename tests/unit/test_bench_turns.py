"""What `make bench` measures, in which turns, and what it takes down with each."""

from pathlib import Path
from typing import Any

import pytest

from benchmarks.cases import HALF, LONGER, Case, Size, closed, goals, in_turns, offered, pair, with_other_driver
from benchmarks.record import keep, newest, warn
from benchmarks.report import SHARES
from cli.bench.report import Load
from cli.tool_commands import Via

CHECKPOINT_S = 60.0  #: MongoDB rests for so long between two of them


def case(name: str, against: Case | None = None) -> Case:
    return Case(name, Load(Via.BATCH, 400), 200, against=against)


A, B = case("a"), case("b")


def turns(*cases: Case) -> str:
    return " ".join(one.name for one in in_turns(cases))


def test_what_is_a_share_stands_between_two_of_what_it_is_a_share_of() -> None:
    assert turns(case("x", A)) == "a x a"


def test_neighbours_share_what_stands_between_them() -> None:
    assert turns(case("x", A), case("y", A), case("z", B)) == "a x a y a b z b"


def test_what_is_no_share_stands_alone_and_parts_its_neighbours() -> None:
    assert turns(case("x", A), case("alone"), case("y", A)) == "a x a alone a y a"


def test_a_reference_is_measured_by_itself_also_where_it_is_a_share_of_something_else() -> None:
    batch = case("batch", A)

    found = list(in_turns([batch, case("x", batch)]))

    assert [one.name for one in found] == ["a", "batch", "a", "batch", "x", "batch"]
    assert [one.name for one in found if one.against] == ["batch", "x"]


def test_a_share_keeps_what_its_neighbours_came_to() -> None:
    before, found, behind = came_to = [dict[str, Any](sagas_per_s=per_s) for per_s in (10.0, 9.0, 14.0)]

    pair(list(zip((A, case("x", A), A), came_to, strict=True)))

    assert found == {"sagas_per_s": 9.0, "against": {"name": "a", "before": 10.0, "behind": 14.0}}
    assert (before, behind) == ({"sagas_per_s": 10.0}, {"sagas_per_s": 14.0})


@pytest.mark.parametrize("failed", [0, 1, 2])
def test_where_one_of_the_three_failed_nothing_is_made_up(failed: int) -> None:
    came_to: list[dict[str, Any]] = [{"sagas_per_s": 10.0}, {"sagas_per_s": 9.0}, {"sagas_per_s": 14.0}]
    came_to[failed] = {"failed": "12 sagas do not end"}

    pair(list(zip((A, case("x", A), A), came_to, strict=True)))

    assert not any("against" in found for found in came_to)


def test_each_goal_that_is_a_share_has_what_it_is_a_share_of_in_each_round() -> None:
    always = [*goals(Size()), *with_other_driver(Size())]

    assert {name for _, name, _ in SHARES} == {one.name for one in always if one.against}


def test_a_whole_round_begins_with_what_goals_are_about() -> None:
    assert list(closed(Size()))[: len(list(goals(Size())))] == list(goals(Size()))


@pytest.mark.parametrize("size", [Size(), LONGER])
def test_half_load_meets_a_checkpoint(size: Size) -> None:
    half = next(one for one in offered(size, 1_000.0) if one.name == HALF)

    assert half.load.rate == 500.0
    assert half.sagas / half.load.rate > CHECKPOINT_S


@pytest.mark.parametrize(("load", "warned"), [(0.6, False), (2.0, False), (2.1, True)])
def test_a_machine_with_more_load_than_cores_is_warned_of(
    load: float, warned: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    warn({"cpus": 2, "load_before": [load, 9.0, 9.0]})

    assert (f"WARNING: load is {load} " in capsys.readouterr().err) is warned


def test_the_newest_results_are_those_of_the_last_day(tmp_path: Path) -> None:
    assert newest(tmp_path / "long") is None
    for date in ("2030-01-02", "2030-01-01"):
        keep({"date": date, "machine": {"cpus": 2}}, tmp_path / "long")

    assert newest(tmp_path / "long") == tmp_path / "long" / "2030-01-02-2cpu.json"


def test_results_may_have_a_file_of_their_own(tmp_path: Path) -> None:
    keep({"date": "2030-01-01", "machine": {"cpus": 2}}, tmp_path, tmp_path / "there" / "it.json")

    assert newest(tmp_path) is None
    assert newest(tmp_path / "there") == tmp_path / "there" / "it.json"
