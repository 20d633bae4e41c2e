"""Everything that docs/performance.md tells, measured in one go: `make bench`.

python -m benchmarks.suite [--quick | --long] [--rounds 5] [--sagas 6000] [--to FILE]

What goals are about is measured in each round, everything else in every other one; a round has databases of its own,
so that a measurement meets as much data in each. What a machine can do changes within seconds: what counts as a share
is measured between two of what it is a share of. Servers, services and this load generator are on one machine. Writes
all runs, not their average.
"""

import argparse
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from uuid import uuid4

import uvloop

from adapters.servers import Servers
from benchmarks.cases import (
    BATCH,
    FLOOR,
    HALF,
    LONGER,
    OTHER_DRIVER,
    QUICK,
    Case,
    Size,
    closed,
    goals,
    in_turns,
    offered,
    pair,
    with_other_driver,
)
from benchmarks.figures import Found, middle
from benchmarks.record import LONG, RESULTS, about, keep, say
from benchmarks.system import System, own_servers
from cli.bench.ground import Ground
from cli.bench.measured import Watcher, measure
from cli.bench.plan import Plan
from cli.bench.report import as_json
from cli.failure import Failure
from cli.tool_commands import Via

PROGRAM_WITHIN_S = 300.0
TRANSITIONS = 3  #: saves of a saga that completes


class Suite:
    """One run, and what it has found so far: by measurement, a list of runs."""

    def __init__(self, size: Size, servers: Servers, directory: Path) -> None:
        self.size = size
        self.runs: dict[str, list[Found]] = {}
        self._servers = servers
        self._directory = directory

    def run(self) -> None:
        for number in range(self.size.rounds):
            say(f"round {number + 1} of {self.size.rounds}")
            self._round(whole=number % 2 == 0)

    def _round(self, *, whole: bool) -> None:
        with self._system() as system:
            self._measure(closed(self.size) if whole else goals(self.size), system)
            if whole:
                self._measure(offered(self.size, self._maximum), system)
        with self._system(**OTHER_DRIVER) as system:
            self._measure(with_other_driver(self.size), system)

    def _system(self, **environment: str) -> System:
        return System(self._servers, self._directory, f"b{uuid4().hex[:6]}", **environment)

    @property
    def _maximum(self) -> float:
        """Sagas a second in batches: the median so far, since the last one may have met a slow moment."""
        return middle(self.runs[BATCH], "sagas_per_s") or 100.0

    def _measure(self, cases: Iterable[Case], system: System) -> None:
        pair([(case, self._one(case, system)) for case in in_turns(cases)])

    def _one(self, case: Case, system: System) -> Found:
        try:
            found = self._found(case, system)
        except Failure as failure:
            found = {"failed": str(failure)}
        self.runs.setdefault(case.name, []).append(found)
        told = ", ".join(f"{key} {found[key]}" for key in ("sagas_per_s", "p50_ms", "p99_ms", "failed") if key in found)
        say(f"  {case.name}: {told}")
        return found

    def _found(self, case: Case, system: System) -> Found:
        """Raises `Failure`."""
        mongo, store = self._servers.mongo_url, self._servers.redis_url
        sagas = ("--sagas", str(case.sagas), "--json")
        if case.name == FLOOR:
            return _program("-m", "benchmarks.floor", "--mongo-url", mongo, "--redis-url", store, *sagas)
        if case.load.via is Via.ENGINE:
            engine = ("bench", "--via", "engine", "--in-flight", str(case.load.in_flight))
            return _program("-m", "cli.main", *engine, *sagas, SAGA_MONGO_URL=mongo, SAGA_REDIS_URL=store)
        ground = system.scale(case.orchestrators)
        if case.name != HALF:
            return measured(case, system, ground)
        with sampled(system, max(1.0, self.size.half_s / 60)) as course:
            return measured(case, system, ground) | {"course_mib": course}


def measured(case: Case, system: System, ground: Ground) -> Found:
    """One case on a system that is up. Raises `Failure`."""
    plan = Plan(uuid4().hex[:8], case.sagas, case.load.in_flight, case.declined, case.products)
    spent: dict[str, float] = {}
    conflicts = 0.0

    @contextmanager
    def around() -> Iterator[None]:
        nonlocal conflicts
        before, lost = system.cpu_s(), system.counted("saga_revision_conflicts_total")
        yield
        spent.update({name: cpu - before[name] for name, cpu in system.cpu_s().items()})
        conflicts = system.counted("saga_revision_conflicts_total") - lost

    result = uvloop.run(measure(case.load, plan, ground, Watcher(around=around)))
    return as_json(result) | {
        "orchestrators": case.orchestrators,
        "cpu_ms": {name: round(cpu * 1_000 / result.sagas, 3) for name, cpu in spent.items()},
        "rss_mib": {name: round(rss, 1) for name, rss in system.rss_mib().items()},
        "conflicts_share": round(conflicts / (TRANSITIONS * result.sagas), 4),
    }


@contextmanager
def sampled(system: System, every_s: float) -> Iterator[list[dict[str, float]]]:
    samples: list[dict[str, float]] = []
    stopped, begun = threading.Event(), time.monotonic()

    def sample() -> None:
        while not stopped.wait(every_s):
            seen = {name: round(rss, 1) for name, rss in system.rss_mib().items()}
            samples.append({"at_s": round(time.monotonic() - begun, 1), **seen})

    thread = threading.Thread(target=sample, daemon=True)
    thread.start()
    try:
        yield samples
    finally:
        stopped.set()
        thread.join()


def _program(*arguments: str, **environment: str) -> Found:
    """What a program that measures prints as JSON. It has a process of its own, as fresh as any other's.

    Raises `Failure`.
    """
    done = subprocess.run(
        [sys.executable, *arguments],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=PROGRAM_WITHIN_S,
        check=False,
    )
    if done.returncode:
        raise Failure(done.stderr[-500:])
    found: Found = json.loads(done.stdout)
    return found


def run(size: Size) -> Found:
    """All of it."""
    say("starting MongoDB and Redis")
    with own_servers() as (servers, directory):
        told = about(servers)
        suite = Suite(size, servers, directory)
        suite.run()
    return told | {"size": asdict(size), "runs": suite.runs}


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--quick", action="store_true", help="a minute, to see that everything works; no numbers")
    kind.add_argument("--long", action="store_true", help="one round, with half load for ten minutes")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--sagas", type=int, help="of a measurement in batches")
    parser.add_argument("--to", type=Path, help="the file; default: benchmarks/results/[long/]{date}-{n}cpu.json")
    return parser.parse_args()


def main() -> None:
    given = options()
    size = QUICK if given.quick else LONGER if given.long else Size()
    found = run(replace(size, rounds=given.rounds or size.rounds, sagas=given.sagas or size.sagas))
    if given.to or not given.quick:
        keep(found, LONG if given.long else RESULTS, given.to)


if __name__ == "__main__":
    main()
