"""Random walks through sagas too large to be explored whole: every state on the way is safe, and an end is in reach."""

import random

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from support.defects import DEFECTS, Defect
from support.explorer import unsafe
from support.shapes import shape
from support.world import Protocol, Scene, Scenery

STEPS = 60
SHAPES = ["uuuuu", "unuun", "uun|rr", "uuu|rr", "nunun"]


def walk(notation: str, protocol: Protocol, choices: int, steps: int = STEPS) -> None:
    """Follow one history; `choices` decides which."""
    chosen = random.Random(choices)
    scenery = Scenery(
        Scene(shape(notation, attempts=3, undo_attempts=3), protocol, requests=5, cancels=choices % 3 == 0)
    )
    world, trace = scenery.first(), []
    for _ in range(steps):
        moves = list(scenery.moves(world))
        if not moves:
            break
        label, world = chosen.choice(moves)
        trace.append(label)
        problem = unsafe(scenery, world)
        assert problem is None, "\n  ".join([f"{problem}", *trace])


@settings(max_examples=150, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(st.sampled_from(SHAPES), st.integers(0, 2**32))
def test_every_state_of_a_long_walk_is_safe(notation: str, choices: int) -> None:
    walk(notation, Protocol(), choices)


@pytest.mark.parametrize("defect", [d for d in DEFECTS if "no end" not in d.problem], ids=str)
def test_a_walk_comes_upon(defect: Defect) -> None:
    @seed(1)
    @settings(
        max_examples=300, deadline=None, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck)
    )
    @given(st.sampled_from(["uu", "unu"]), st.integers(0, 2**32))
    def search(notation: str, choices: int) -> None:
        walk(notation, defect.protocol, choices)

    with pytest.raises(AssertionError):
        search()
