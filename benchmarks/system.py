"""The system under measurement: every service a process, as in production, on database servers of this run alone."""

import asyncio
import os
import re
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
import psutil

from adapters.logs import configure
from adapters.process import tune
from adapters.servers import Servers
from cli.bench.ground import Ground, begin, end, is_ready, remove, servers_in
from participants.app import SHIPPED

UP_WITHIN_S = 90.0
POLL_S = 0.05
MIB = 2**20


@contextmanager
def own_servers() -> Iterator[tuple[Servers, Path]]:
    """For a program that measures: databases and a directory of its own, all gone afterwards, however it ends."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    configure("warning", "auto")
    tune()
    with (
        tempfile.TemporaryDirectory(prefix="saga-bench-", ignore_cleanup_errors=True) as directory,
        servers_in(Path(directory)) as servers,
    ):
        yield servers, Path(directory)


def eventually(what: str, condition: Callable[[], Any], within_s: float) -> Any:
    """What the condition has come to, once it holds. Raises `TimeoutError`."""
    give_up_at = time.monotonic() + within_s
    while not (found := condition()):
        if time.monotonic() > give_up_at:
            raise TimeoutError(what)
        time.sleep(POLL_S)
    return found


class Child:
    """One `saga` process, which ends with this one."""

    def __init__(self, directory: Path, name: str, environment: dict[str, str], *arguments: str) -> None:
        self.name = name
        self.log = directory / f"{name}.log"
        others = {key: value for key, value in os.environ.items() if not key.startswith("SAGA_")}
        with self.log.open("w") as log:
            self._process = begin(arguments, {**others, "SAGA_LOG_LEVEL": "warning", **environment}, log)

    @property
    def pid(self) -> int:
        return self._process.pid

    def url(self) -> str:
        """Where this orchestrator answers, once it is ready."""

        def ready() -> str | None:
            if self._process.poll() is not None:
                raise RuntimeError(f"{self.name} has ended:\n{self.log.read_text()[-2_000:]}")
            said = re.search(r"answers at (http://\S+)\.\s", self.log.read_text())
            return said[1] if said and is_ready(said[1]) else None

        return str(eventually(f"{self.name} does not come up", ready, UP_WITHIN_S))

    def end(self) -> None:
        end(self._process)


class System:
    """Orchestrators and participants under one prefix; as a context: up, then ended, with everything they wrote."""

    def __init__(self, servers: Servers, directory: Path, name: str, **environment: str) -> None:
        self._servers = servers
        self._directory = directory
        self._name = name
        self.ground = Ground(servers.mongo_url, servers.redis_url, f"{name}_", f"{name}.")
        self._environment = self.ground.environment | environment
        self.orchestrators: dict[str, Child] = {}  #: by URL
        self._participants: list[Child] = []

    def __enter__(self) -> Self:
        try:
            self.start_participants()
            self.scale(1)
        except BaseException:
            self.end()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.end()

    def scale(self, count: int) -> Ground:
        """Have that many orchestrators; where to find all of them."""
        fresh = [
            self._child(f"orchestrator-{number}", "serve", "--port", "0")
            for number in range(len(self.orchestrators), count)
        ]
        self.orchestrators |= {child.url(): child for child in fresh}
        for url in list(self.orchestrators)[count:]:
            self.orchestrators.pop(url).end()
        found = self.ground
        return Ground(
            found.mongo_url, found.redis_url, found.database_prefix, found.stream_prefix, list(self.orchestrators)
        )

    def start_participants(self) -> None:
        self._participants = [self._child(name, "participant", name) for name in SHIPPED]

    def stop_participants(self) -> None:
        for child in self._participants:
            child.end()
        self._participants = []

    def end(self) -> None:
        self.stop_participants()
        for child in self.orchestrators.values():
            child.end()
        asyncio.run(remove(self.ground))

    def counted(self, metric: str) -> float:
        """One counter, over all its labels and all orchestrators."""
        pages = (httpx.get(f"{url}/metrics", timeout=30, trust_env=False).text for url in self.orchestrators)
        line = re.compile(rf"^{metric}(?:{{[^\n]*}})? (\S+)$", re.MULTILINE)
        return sum(float(value) for page in pages for value in line.findall(page))

    def cpu_s(self) -> dict[str, float]:
        """CPU seconds so far, by kind of process."""
        return _by_kind(self._pids(), lambda process: sum(process.cpu_times()[:2]))

    def rss_mib(self) -> dict[str, float]:
        """Resident memory now, by kind of process."""
        return _by_kind(self._pids(), lambda process: process.memory_info().rss / MIB)

    def _pids(self) -> Iterator[tuple[str, int]]:
        yield "mongod", self._servers.mongo.pid
        yield "redis", self._servers.redis.pid
        for child in self.orchestrators.values():
            yield "orchestrator", child.pid
        for child in self._participants:
            yield child.name, child.pid

    def _child(self, name: str, *arguments: str) -> Child:
        return Child(self._directory, f"{self._name}-{name}", self._environment, *arguments)


def _by_kind(pids: Iterator[tuple[str, int]], read: Callable[[psutil.Process], float]) -> dict[str, float]:
    found: dict[str, float] = {}
    for name, pid in pids:
        kind = name.rpartition("-")[2]
        found[kind] = found.get(kind, 0.0) + read(psutil.Process(pid))
    return found
