"""Simulated runs of the real engine and barrier: whatever strikes, nothing is lost, done twice or left half done."""

import hashlib
import os
import subprocess
import sys
from collections import Counter
from concurrent.futures import ProcessPoolExecutor

import pytest

from chaos.faults import CATALOGUE
from chaos.sim.run import Result, run
from chaos.sim.world import Setup
from chaos.swarm import swarm
from sagas.order import order
from support.source import ROOT

SEEDS = int(os.environ.get("SAGA_SEEDS", "1000"))
CHUNK = 50


def told(result: Result) -> str:
    """What is wrong with a run, and how to repeat it."""
    wrong = "\n  ".join(map(str, result.violations))
    return f"swarm(order, {result.seed}):\n  {wrong}"


def many(first: int) -> tuple[list[str], Counter[str]]:
    """A chunk of seeds: what was wrong, and what struck."""
    fired: Counter[str] = Counter()
    wrong = []
    for seed in range(first, min(first + CHUNK, SEEDS)):
        result = run(swarm(order, seed), seed)
        fired.update({fault.name: times for fault, times in result.fired.items()})
        wrong += [] if result.held else [told(result)]
    return wrong, fired


@pytest.mark.timeout(3_600)
def test_every_invariant_holds_under_whatever_faults_a_seed_brings() -> None:
    with ProcessPoolExecutor() as pool:
        chunks = list(pool.map(many, range(0, SEEDS, CHUNK)))

    assert not [each for wrong, _ in chunks for each in wrong]
    fired = sum((fired for _, fired in chunks), Counter[str]())
    assert not {fault.name for fault in CATALOGUE} - fired.keys(), "a fault that never strikes proves nothing"


def test_without_faults_every_saga_completes_and_says_nothing_twice() -> None:
    result = run(Setup(saga=order, sagas=20), seed=0)

    assert result.held, told(result)
    assert result.statuses == {"completed": 20}
    assert Counter(event.what for event in result.trace)["command"] == 60


def digest(seed: int) -> str:
    """All that happened, in its order."""
    result = run(swarm(order, seed), seed)
    return hashlib.sha256(repr((result.trace, result.evidence.sagas)).encode()).hexdigest()


def test_a_seed_is_one_run_to_the_last_event_in_whatever_process() -> None:
    code = "import sys; from test_simulated_runs import digest; print(*map(digest, range(8)))"
    here = " ".join(map(digest, range(8)))

    for hash_seed in ("1", "2"):
        paths = os.pathsep.join(map(str, (ROOT, ROOT / "tests", ROOT / "tests" / "simulation")))
        environment = os.environ | {"PYTHONHASHSEED": hash_seed, "PYTHONPATH": paths}
        there = subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
        )
        assert there.stdout.strip() == here
