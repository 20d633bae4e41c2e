"""How soon a real run goes on after each strike, and how a run is made to last."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from chaos.real.catalogue import BY_NAME
from chaos.real.lasting import lasting
from chaos.real.plan import Strike
from chaos.real.presets import PRESETS
from chaos.real.recovery import Recovery, costs, recoveries
from chaos.real.scenario import setup_of
from chaos.real.setup import Impossible, Setup

BEGUN = 1_000.0
KILL, FLUSH = BY_NAME["kill orchestrator"], BY_NAME["flush Redis"]


def saga(created_s: float, ended_s: float | None, status: str = "completed") -> Mapping[str, Any]:
    created, ended = (None if at is None else datetime.fromtimestamp(BEGUN + at, UTC) for at in (created_s, ended_s))
    return {"status": status, "created_at": created, "ended_at": ended}


def told(*sagas: Mapping[str, Any], strikes_s: Sequence[float]) -> list[Recovery]:
    return recoveries([Strike(KILL, "orchestrator-1", BEGUN + at) for at in strikes_s], BEGUN, sagas)


def test_recovered_is_who_completes_a_saga_that_began_after_the_strike() -> None:
    began_before, was_undone = saga(9, 11), saga(10.5, 12, "compensated")

    (found,) = told(began_before, was_undone, saga(11, 13.5), strikes_s=[10])

    assert (found.at_s, found.seconds) == (10, 3.5)


def test_nothing_completed_afterwards_is_not_recovered() -> None:
    (found,) = told(saga(1, 2), strikes_s=[3])

    assert found.seconds is None


def test_a_standstill_is_the_longest_time_without_an_end_until_the_next_strike() -> None:
    ends_s = [9, 10.5, 14.5, 18, 23, 29, 30]

    found = told(*(saga(0, at, "compensated") for at in ends_s), saga(0, None, "stuck"), strikes_s=[10, 20])

    assert [each.standstill_s for each in found] == [4.0, 6.0]  # From 18 to 23 both had their part in it.


def test_costs_are_told_for_each_kind_the_most_expensive_first() -> None:
    def of(fault: Any, *seconds: float | None) -> list[Recovery]:
        return [Recovery(fault, "somebody", 0, each, 1 if each is None else each / 2) for each in seconds]

    dear, cheap = costs([*of(KILL, 1, 2, 9), *of(FLUSH, 3, None)])

    assert (dear.kind, dear.strikes, dear.median_s, dear.worst_s, dear.standstill_s) == ("flush Redis", 2, 3, None, 1.5)
    assert (cheap.kind, cheap.strikes, cheap.median_s, cheap.worst_s) == ("kill orchestrator", 3, 2, 9)


def test_a_run_lasts_as_long_as_wanted_and_its_faults_strike_equally_often() -> None:
    setup = lasting(setup_of(PRESETS["mixed-storm"], Setup()), 600, seed=1)

    counted = Counter(setup.faults)
    assert setup.loaded_s == 600
    assert sum(counted.values()) == 49
    assert len(counted) == 9
    assert max(counted.values()) - min(counted.values()) <= 1
    setup.check()


def test_what_strikes_is_drawn_by_the_seed() -> None:
    usual = setup_of(PRESETS["mixed-storm"], Setup())

    assert lasting(usual, 60, seed=1) == lasting(usual, 60, seed=1) != lasting(usual, 60, seed=2)
    assert not lasting(Setup(), 60, seed=1).faults


@pytest.mark.parametrize("for_s", [5, 3_601])
def test_a_run_has_its_bounds(for_s: float) -> None:
    with pytest.raises(Impossible, match="from 24 seconds to an hour"):
        lasting(Setup(), for_s, seed=1)
