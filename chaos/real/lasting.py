"""A real run that goes on for a given time: its faults again and again, in an order that its seed draws."""

from dataclasses import replace
from random import Random

from chaos.faults import Fault
from chaos.real.setup import Impossible, Setup

APART_S = 12.0  #: from one strike to the next: what one has broken is whole again, and is seen to be
SHORTEST_S = 2 * APART_S
LONGEST_S = 3_600.0  #: all that a run leaves behind is looked at in memory


def lasting(setup: Setup, for_s: float, seed: int) -> Setup:
    """The setup for so many seconds. Each of its faults strikes as often as any other, or once more.

    Raises `Impossible`.
    """
    if not SHORTEST_S <= for_s <= LONGEST_S:
        raise Impossible(f"a run can last from {SHORTEST_S:g} seconds to an hour, not {for_s:g} s")
    kinds = list(dict.fromkeys(replace(fault, times=1) for fault in setup.faults))
    rng = Random(f"{seed}/lasting")
    drawn: list[Fault] = []
    strikes = int(for_s / APART_S) - 1 if kinds else 0
    while len(drawn) < strikes:
        drawn += rng.sample(kinds, len(kinds))
    return replace(setup, faults=tuple(drawn[:strikes]), sagas=int(for_s * setup.per_s))
