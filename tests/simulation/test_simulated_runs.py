"""Simulated runs of the real engine and barrier: a quiet one says nothing twice, and a seed is one run, always."""

import hashlib
import os
import subprocess
import sys
from collections import Counter

from chaos.sim.run import run
from chaos.sim.world import Setup
from chaos.swarm import swarm
from sagas.order import order
from support.simulated import told
from support.source import ROOT


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
