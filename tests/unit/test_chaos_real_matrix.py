"""The groups of a real run's faults: together they are the whole catalogue, and each may run."""

import pytest

from chaos.faults import Point
from chaos.real.catalogue import CATALOGUE
from chaos.real.matrix import crash_points, groups
from chaos.real.setup import Setup

GROUPS = groups(Setup())


def test_every_fault_is_in_a_group() -> None:
    assert {fault for setup in GROUPS.values() for fault in setup.faults} >= set(CATALOGUE)


@pytest.mark.parametrize("group", GROUPS)
def test_each_group_is_possible_and_lasts_as_long_as_its_faults_need(group: str) -> None:
    setup = GROUPS[group]
    setup.check()
    assert setup.loaded_s >= 4 * len(setup.faults)


def test_crash_points_are_before_and_behind_each_step_of_each_command() -> None:
    points = crash_points(Setup())

    assert len({(fault.what, fault.point, fault.step, fault.kind) for fault in points}) == len(points)
    assert {(fault.step, fault.kind) for fault in points if fault.point is Point.COMMIT} == {
        ("reserve-stock", "action"),
        ("reserve-stock", "compensation"),
        ("charge-payment", "action"),
        ("confirm", "action"),
    }
    assert {(fault.step, fault.kind) for fault in points if fault.point is Point.INSERT} == {
        ("reserve-stock", "action")
    }
