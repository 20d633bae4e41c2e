"""What was measured, on what machine, and where it is kept."""

import json
import os
import platform
import sys
import timeit
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
import pymongo
import redis

from adapters.servers import Servers
from benchmarks.figures import Found
from benchmarks.system import MIB

RESULTS = Path(__file__).parent / "results"
LONG, GROWTH = RESULTS / "long", RESULTS / "growth"
BUSY = 1.0  #: load of each core before anything begins, beyond which others take part in what is measured


def say(what: str) -> None:
    print(f"{datetime.now(UTC):%H:%M:%S} {what}", file=sys.stderr, flush=True)


def newest(directory: Path) -> Path | None:
    """The newest results in it."""
    return max(directory.glob("*.json"), default=None)


def keep(found: Found, directory: Path, file: Path | None = None) -> None:
    """In that file, or under day and machine in the directory."""
    file = file or directory / f"{found['date']}-{found['machine']['cpus']}cpu.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(found, indent=1) + "\n")
    say(f"written to {file}; for docs/performance.md: python -m benchmarks.report")


def about(servers: Servers) -> Found:
    """When it was measured, and on what. Warns where the machine has other things to do."""
    machine = _machine(servers)
    warn(machine)
    return {"date": f"{datetime.now(UTC):%Y-%m-%d}", "machine": machine}


def warn(machine: Found) -> None:
    """Say so if it is busy before anything begins, by the load of its last minute."""
    load = machine["load_before"][0]
    if load > BUSY * machine["cpus"]:
        say(f"WARNING: load is {load} before anything begins: what else runs here is measured too")


def _machine(servers: Servers) -> Found:
    with pymongo.MongoClient[Any](servers.mongo_url) as mongo, redis.Redis.from_url(servers.redis_url) as store:
        info = store.info("server")
        versions = {
            "mongodb": mongo.server_info()["version"],
            "redis": info.get("valkey_version", info["redis_version"]),
            "redis_server": info.get("server_name", "redis"),
        }
    return {
        "cpus": os.cpu_count(),
        "cpu": _cpu_model(),
        "memory_gib": round(psutil.virtual_memory().total / MIB / 1_024, 1),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "python_loop_us": _python_loop_us(),
        "load_before": [round(load, 2) for load in os.getloadavg()],
        "real_time": hasattr(os, "sched_getscheduler") and os.sched_getscheduler(0) in (os.SCHED_FIFO, os.SCHED_RR),
        **versions,
    }


def _python_loop_us() -> int:
    """Microseconds this Python needs for a thousand small objects made and asked: builds of one version differ."""
    made = "class Pair:\n def __init__(self, a, b): self.a, self.b = a, b\n def sum(self): return self.a + self.b"
    return round(min(timeit.repeat("Pair(1, {'b': 2}['b']).sum()", made, number=1_000, repeat=1_000)) * 1e6)


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.machine())
