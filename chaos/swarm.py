"""A setup for each seed: which faults may strike and how often, how many sagas, who interferes.

Each seed leaves most faults out ("swarm testing", Groce et al. 2012): a run in which everything fails at once meets
fewer kinds of history than many in which a few things fail often.
"""

from copy import copy
from dataclasses import replace
from functools import cache
from random import Random

from chaos.faults import CATALOGUE, Fault
from chaos.sim.world import Setup
from sagas import Saga

MOST_KINDS = 10


def swarm(saga: Saga, seed: int) -> Setup:
    """The setup of this seed."""
    rng = Random(f"{seed}/swarm")
    return Setup(
        saga=saga,
        newer=next_version(saga) if rng.random() < 0.2 else None,
        faults=tuple(_often(fault, rng) for fault in rng.sample(CATALOGUE, rng.randint(0, MOST_KINDS))),
        sagas=rng.randint(1, 5),
        reject_rate=rng.choice((0.0, 0.0, 0.2)),
        cancel_rate=rng.choice((0.0, 0.3)),
        interfering=rng.random() < 0.3,
        orchestrators=rng.choice((1, 2, 2, 3)),
        instances=rng.choice((1, 2)),
        batch=rng.random() < 0.7,
        skew_s=rng.choice((0.0, 0.0, 1.0)),
        external=_some(saga, rng) if rng.random() < 0.3 else (),
    )


@cache
def next_version(saga: Saga) -> Saga:
    """The same saga as its next version, for runs in which both are in flight."""
    newer = copy(saga)
    vars(newer).update(version=saga.version + 1)
    return newer


def _some(saga: Saga, rng: Random) -> tuple[str, ...]:
    return tuple(step.name for step in saga.steps if rng.random() < 0.7)


def _often(fault: Fault, rng: Random) -> Fault:
    return replace(fault, probability=rng.choice((0.02, 0.05, 0.1, 0.2, 0.5)), times=rng.randint(1, 20))
