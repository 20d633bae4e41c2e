"""Everything that docs/performance.md tells, measured in one go: `make bench`.

python -m benchmarks.suite [--quick] [--long] [--rounds 3] [--sagas 6000] [--to FILE]

Floor and system take turns, several rounds; each round has databases of its own, so that a measurement meets as much
data in each. Servers, services and this load generator are on one machine. Writes all runs, not their average.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil
import pymongo
import redis
import uvloop

from adapters.servers import Servers
from benchmarks.cases import (
    BATCH,
    IN_FLIGHT,
    OTHER_DRIVER,
    QUICK,
    Case,
    Size,
    at_rate,
    closed,
    offered,
    with_other_driver,
)
from benchmarks.system import MIB, System, own_servers
from cli.bench.ground import Ground
from cli.bench.measured import Watcher, measure
from cli.bench.plan import Plan
from cli.bench.report import as_json
from cli.failure import Failure

RESULTS = Path(__file__).parent / "results"
PROGRAM_WITHIN_S = 300.0
TRANSITIONS = 3  #: saves of a saga that completes

Runs = dict[str, list[dict[str, Any]]]


def say(what: str) -> None:
    print(f"{datetime.now(UTC):%H:%M:%S} {what}", file=sys.stderr, flush=True)


class Suite:
    """One run, and what it has found so far: by measurement, a list of runs."""

    def __init__(self, size: Size, servers: Servers, directory: Path) -> None:
        self.size = size
        self.runs: Runs = {}
        self._servers = servers
        self._directory = directory

    def run(self) -> None:
        for number in range(self.size.rounds):
            say(f"round {number + 1} of {self.size.rounds}")
            self._round()
        self._memory()

    def _round(self) -> None:
        urls = ("--mongo-url", self._servers.mongo_url, "--redis-url", self._servers.redis_url)
        self._add("floor", _program("-m", "benchmarks.floor", *urls, "--sagas", str(self.size.sagas), "--json"))
        engine = ("bench", "--via", "engine", "--sagas", str(self.size.sagas), "--in-flight", str(IN_FLIGHT), "--json")
        self._add("engine", _program("-m", "cli.main", *engine, **self._databases))
        with self._system() as system:
            for case in closed(self.size):
                self._measure(case, system)
            system.scale(1)
            for case in offered(self.size, self._maximum):
                self._measure(case, system)
        with self._system(**OTHER_DRIVER) as system:
            for case in with_other_driver(self.size):
                self._measure(case, system)

    def _memory(self) -> None:
        """Half the load for a while, in services that have just been started: what their memory does."""
        with self._system() as system:
            case = at_rate("memory", self._maximum / 2, self.size.memory_s)
            with sampled(system, max(1.0, self.size.memory_s / 60)) as samples:
                self._measure(case, system)
            self.runs["memory"][-1]["rss_mib"] = samples

    def _system(self, **environment: str) -> System:
        return System(self._servers, self._directory, f"b{uuid4().hex[:6]}", **environment)

    @property
    def _databases(self) -> dict[str, str]:
        return {"SAGA_MONGO_URL": self._servers.mongo_url, "SAGA_REDIS_URL": self._servers.redis_url}

    @property
    def _maximum(self) -> float:
        """Sagas a second in batches, as just measured."""
        return float(self.runs[BATCH][-1].get("sagas_per_s", 100.0))

    def _measure(self, case: Case, system: System) -> None:
        try:
            self._add(case.name, measured(case, system, system.scale(case.orchestrators)))
        except Failure as failure:
            self._add(case.name, {"failed": str(failure)})

    def _add(self, name: str, found: dict[str, Any]) -> None:
        self.runs.setdefault(name, []).append(found)
        told = ", ".join(f"{key} {found[key]}" for key in ("sagas_per_s", "p50_ms", "p99_ms", "failed") if key in found)
        say(f"  {name}: {told}")


def measured(case: Case, system: System, ground: Ground) -> dict[str, Any]:
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


def _program(*arguments: str, **environment: str) -> dict[str, Any]:
    """What a program that measures prints as JSON. It has a process of its own, as fresh as any other's."""
    done = subprocess.run(
        [sys.executable, *arguments],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=PROGRAM_WITHIN_S,
        check=False,
    )
    if done.returncode:
        return {"failed": done.stderr[-500:]}
    found = json.loads(done.stdout)
    assert isinstance(found, dict)
    return found


def machine(servers: Servers) -> dict[str, Any]:
    """What it was measured on."""
    with pymongo.MongoClient[Any](servers.mongo_url) as mongo, redis.Redis.from_url(servers.redis_url) as store:
        info = store.info("server")
        versions = {
            "mongodb": mongo.server_info()["version"],
            "redis": info.get("valkey_version", info["redis_version"]),
        }
    return {
        "cpus": os.cpu_count(),
        "cpu": _cpu_model(),
        "memory_gib": round(psutil.virtual_memory().total / MIB / 1_024, 1),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "load_before": [round(load, 2) for load in os.getloadavg()],
        "real_time": hasattr(os, "sched_getscheduler") and os.sched_getscheduler(0) in (os.SCHED_FIFO, os.SCHED_RR),
        **versions,
    }


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.machine())


def run(size: Size) -> dict[str, Any]:
    """All of it."""
    say("starting MongoDB and Redis")
    with own_servers() as (servers, directory):
        begun, about = datetime.now(UTC), machine(servers)
        suite = Suite(size, servers, directory)
        suite.run()
    return {"date": f"{begun:%Y-%m-%d}", "machine": about, "size": asdict(size), "runs": suite.runs}


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a minute, to see that everything works; no numbers")
    parser.add_argument("--long", action="store_true", help="watch memory for ten minutes")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--sagas", type=int, help="of a measurement in batches")
    parser.add_argument("--to", type=Path, help="the file; default: benchmarks/results/{date}-{n}cpu.json")
    return parser.parse_args()


def main() -> None:
    given = options()
    size = QUICK if given.quick else replace(Size(), memory_s=600.0 if given.long else Size().memory_s)
    size = replace(size, rounds=given.rounds or size.rounds, sagas=given.sagas or size.sagas)
    found = run(size)
    file = given.to or RESULTS / f"{found['date']}-{os.cpu_count()}cpu.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(found, indent=1) + "\n")
    say(f"written to {file}; for docs/performance.md: python -m benchmarks.report {file}")


if __name__ == "__main__":
    main()
