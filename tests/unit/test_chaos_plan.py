"""The plan of a real run: which process may strike, when, and how often in all."""

from pathlib import Path
from random import Random

import pytest

from chaos.faults import Fault, Point, Subject, What
from chaos.real.plan import Plan, Strike
from chaos.real.setup import Impossible, Setup
from chaos.real.striker import Striker
from support.clock import ManualClock

RESERVING = Subject("saga-1", "reserve-stock", "action")
RELEASING = Subject("saga-1", "reserve-stock", "compensation")
FAIL = Fault(What.FAIL, Point.HANDLE)


def strikers(directory: Path, fault: Fault, *names: str, armed: bool = True) -> list[Striker]:
    """The processes of a run with this one fault."""
    plan = Plan.write(directory / "plan", [fault], seed=1)
    if armed:
        plan.arm(0)
    return [Striker(Plan.read(plan.directory), name, ManualClock()) for name in names]


def test_a_fault_strikes_once_in_the_whole_run(tmp_path: Path) -> None:
    first, second = strikers(tmp_path, FAIL, "a-1", "a-2")

    assert first.strike(Point.HANDLE, [RESERVING]) == FAIL
    assert first.strike(Point.HANDLE, [RESERVING]) is None
    assert second.strike(Point.HANDLE, [RESERVING]) is None


def test_or_as_often_as_it_says(tmp_path: Path) -> None:
    both = strikers(tmp_path, Fault(What.FAIL, Point.HANDLE, times=3), "a-1", "a-2")

    struck = [one.strike(Point.HANDLE, [RESERVING]) is not None for _ in range(3) for one in both]

    assert struck == [True, True, True, False, False, False]


def test_what_has_struck_is_told_with_whom_and_for_which_command(tmp_path: Path) -> None:
    (striker,) = strikers(tmp_path, FAIL, "inventory-1")
    striker.strike(Point.HANDLE, [RESERVING])

    (told,) = Plan.read(tmp_path / "plan").strikes()

    assert told == Strike(FAIL, "inventory-1", ManualClock().now().timestamp(), "saga-1/reserve-stock/action")


def test_it_waits_until_it_is_armed_and_rests_once_all_is_healed(tmp_path: Path) -> None:
    (striker,) = strikers(tmp_path, Fault(What.FAIL, Point.HANDLE, times=2), "a-1", armed=False)
    plan = Plan.read(tmp_path / "plan")

    assert striker.strike(Point.HANDLE, [RESERVING]) is None
    plan.arm(0)
    assert striker.strike(Point.HANDLE, [RESERVING]) is not None
    plan.heal()
    assert striker.strike(Point.HANDLE, [RESERVING]) is None


def test_it_strikes_only_what_it_is_aimed_at(tmp_path: Path) -> None:
    (striker,) = strikers(tmp_path, FAIL.aimed("reserve-stock", "compensation"), "a-1")

    assert striker.strike(Point.HANDLE, [RESERVING]) is None
    assert striker.strike(Point.COMMIT, [RELEASING]) is None
    assert striker.strike(Point.HANDLE, [RESERVING, RELEASING]) is not None


def test_it_strikes_at_the_nth_time(tmp_path: Path) -> None:
    (striker,) = strikers(tmp_path, Fault(What.FAIL, Point.HANDLE, skip=2), "a-1")

    assert [striker.strike(Point.HANDLE, [RESERVING]) is not None for _ in range(4)] == [False, False, True, False]


@pytest.mark.parametrize(
    ("setup", "why"),
    [
        (Setup(faults=[Fault(What.STEP_DOWN, Point.PRIMARY)]), "needs a replica set"),
        (Setup(faults=[Fault(What.KILL, Point.MONGODB)], members=3), "needs a MongoDB that is alone"),
        (Setup(faults=[Fault(What.KILL, Point.MASTER)]), "needs a Redis of several servers"),
        (Setup(faults=[Fault(What.KILL, Point.REDIS)], redis="cluster"), "needs a Redis that is alone"),
        (Setup(faults=[Fault(What.FLUSH, Point.REDIS, step="confirm")]), "can't be aimed"),
        (Setup(faults=[Fault(What.BUS_OUTAGE, Point.COMMAND)]), "only a simulated run"),
    ],
)
def test_what_could_never_strike_is_refused(setup: Setup, why: str) -> None:
    with pytest.raises(Impossible, match=why):
        setup.check()


def test_faults_are_drawn_the_same_for_a_seed_whatever_else_is_random(tmp_path: Path) -> None:
    rare = Fault(What.FAIL, Point.HANDLE, probability=0.5, times=1_000)
    drawn = []
    for name in ("x", "y"):
        Random(name).random()
        (striker,) = strikers(tmp_path / name, rare, "a-1")
        drawn.append([striker.strike(Point.HANDLE, [RESERVING]) is not None for _ in range(20)])

    assert drawn[0] == drawn[1]
    assert {True, False} == set(drawn[0])
