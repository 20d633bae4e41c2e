"""Every history of small sagas, through the real core and the real barrier: always safe, and never without an end.

`pytest tests/exploration -s` shows how many states there are.
"""

from dataclasses import replace
from itertools import pairwise

import pytest

from support.defects import DEFECTS, Defect
from support.explorer import Found, explore
from support.shapes import shape
from support.world import Scene, Scenery

SHAPES = ["u", "n", "|r", "uu", "un", "nu", "u|r", "|rr", "uuu", "unu", "nun", "un|r", "uu|rr", "uuuu", "unun", "uun|r"]


def holds(scene: Scene) -> Found:
    found = explore(scene)
    print(f"\n{scene}: {found}", end="")  # noqa: T201 - the numbers are worth seeing
    assert found.problem is None, found
    return found


@pytest.mark.parametrize("notation", SHAPES)
def test_a_saga_is_done_once_or_undone_whatever_is_lost_repeated_or_late(notation: str) -> None:
    holds(Scene(shape(notation)))


@pytest.mark.parametrize("notation", SHAPES)
def test_and_so_it_is_with_a_deadline_of_its_own_and_an_operator(notation: str) -> None:
    holds(Scene(shape(notation, timeout="20s"), requests=1))


@pytest.mark.parametrize("notation", ["u", "un", "uu", "unu", "un|r", "|rr"])
def test_and_so_it_is_with_foreign_participants_that_reject_compensations(notation: str) -> None:
    holds(Scene(shape(notation, attempts=1, undo_attempts=1), requests=2, rejects_undo=True))


@pytest.mark.parametrize("notation", ["u", "n", "un", "uu", "nu", "un|r", "u|r"])
def test_and_so_it_is_with_replies_that_cannot_be_merged(notation: str) -> None:
    holds(Scene(shape(notation, attempts=1, undo_attempts=1), requests=3, garbles=True))


def test_and_so_it_is_with_more_attempts() -> None:
    assert holds(Scene(shape("uu", attempts=3, undo_attempts=3), requests=2)).states > 1_000


@pytest.mark.parametrize("defect", DEFECTS, ids=str)
def test_an_exploration_finds(defect: Defect) -> None:
    found = explore(Scene(shape(defect.notation), protocol=defect.protocol))
    print(f"\n{defect}: {found}", end="")  # noqa: T201 - the shortest history is worth seeing
    assert found.problem is not None
    assert defect.problem in found.problem
    assert found.depth == len(found.trace) <= 8


def test_a_trace_leads_from_the_start_to_the_problem() -> None:
    defect = DEFECTS[0]
    scene = Scene(shape(defect.notation), protocol=defect.protocol)
    found, scenery = explore(scene), Scenery(scene)
    worlds = [scenery.first()]
    for label in found.trace:
        worlds.append(next(move.world for move in scenery.moves(worlds[-1]) if move.label == label))
    assert all(before != after for before, after in pairwise(worlds))


def test_an_operator_can_do_what_timers_alone_cannot() -> None:
    alone = Scene(shape("|r"))
    assert explore(replace(alone, requests=1)).states > explore(alone).states
