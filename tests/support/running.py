"""The whole system as a user runs it, `saga up --processes`, and a client that keeps a log of what was accepted."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest
from pymongo import MongoClient

START_TIMEOUT_S = 60.0

T = TypeVar("T")


def free_port() -> int:
    """A port of loopback that nobody listens on right now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@dataclass
class System:
    """A running system. `kill` strikes one of its processes; the supervisor starts it again."""

    url: str
    mongo_url: str
    directory: Path
    process: subprocess.Popen[bytes]
    log: dict[str, float] = field(default_factory=dict)  #: accepted sagas, and when

    def kill(self, name: str) -> float:
        """SIGKILL a service; when."""
        os.kill(json.loads((self.directory / "processes.json").read_text())[name]["pid"], signal.SIGKILL)
        return time.time()

    def end(self, number: int = signal.SIGTERM) -> int:
        """Tell it to stop; its exit code."""
        self.process.send_signal(number)
        return self.process.wait(60)

    async def place(self, prefix: str, count: int, *, per_s: float, order: Mapping[str, Any]) -> None:
        """Start so many orders, each asked for again with the same id until it is answered with a 2xx."""
        limits = httpx.Limits(max_connections=64)
        async with httpx.AsyncClient(base_url=self.url, timeout=10, limits=limits) as client:
            begun, waiting = time.monotonic(), set()
            for number in range(count):
                waiting.add(asyncio.create_task(self._place(client, f"{prefix}-{number}", order)))
                await asyncio.sleep(max(0.0, begun + number / per_s - time.monotonic()))
            await asyncio.gather(*waiting)

    async def _place(self, client: httpx.AsyncClient, saga_id: str, order: Mapping[str, Any]) -> None:
        for _ in range(600):
            try:
                answer = await client.post("/v1/sagas", json={"saga": "order", "id": saga_id, "data": order})
            except httpx.TransportError:
                answer = None
            if answer is not None and answer.is_success:
                self.log[saga_id] = time.time()
                return
            assert answer is None or answer.status_code == 503, answer.text
            await asyncio.sleep(0.2)
        raise AssertionError(f"{saga_id} was never accepted")

    def statuses(self) -> dict[str, int]:
        """How many sagas have each status."""
        with MongoClient[Any](self.mongo_url) as client:
            rows = client.saga_orchestrator.sagas.aggregate([{"$group": {"_id": "$status", "count": {"$sum": 1}}}])
            return {row["_id"]: row["count"] for row in rows}

    def completed_after(self, moment: float) -> float | None:
        """Seconds from the moment until an order that was placed after it is completed; None where there is none."""
        since = datetime.fromtimestamp(moment, UTC)
        with MongoClient[Any](self.mongo_url, tz_aware=True) as client:
            later = {"status": "completed", "created_at": {"$gt": since}}
            ends = [row["ended_at"] for row in client.saga_orchestrator.sagas.find(later, {"ended_at": 1})]
        return (min(ends) - since).total_seconds() if ends else None

    async def all_ended(self, count: int, within_s: float) -> bool:
        """Whether so many sagas end within the time."""
        until = time.monotonic() + within_s
        while time.monotonic() < until:
            found = self.statuses()
            if found.get("completed", 0) + found.get("compensated", 0) >= count:
                return True
            await asyncio.sleep(0.2)
        return False


def say(capsys: pytest.CaptureFixture[str], words: str) -> None:
    """Tell a measured fact on the terminal, also where the test passes."""
    with capsys.disabled():
        sys.stdout.write(f"\n{words}\n")


async def later(delay_s: float, strike: Callable[[], T]) -> T:
    """Do something to the running system so many seconds into its load."""
    await asyncio.sleep(delay_s)
    return await asyncio.to_thread(strike)


@contextmanager
def running(directory: Path, mongo_url: str, redis_url: str, *arguments: str, **environment: str) -> Iterator[System]:
    """`saga up` on databases of the test, ready to take orders."""
    port = free_port()
    given = {"SAGA_MONGO_URL": mongo_url, "SAGA_REDIS_URL": redis_url, "NO_COLOR": "1", **environment}
    command = [sys.executable, "-m", "cli.main", "up", *arguments, "--dir", str(directory), "--port", str(port)]
    process = subprocess.Popen(command, env={**os.environ, **given})
    system = System(f"http://127.0.0.1:{port}", mongo_url, directory, process)
    try:
        _await_ready(system)
        yield system
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(40)
            except subprocess.TimeoutExpired:
                process.kill()


def _await_ready(system: System) -> None:
    until = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < until and system.process.poll() is None:
        try:
            if httpx.get(f"{system.url}/readyz", timeout=3).status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise AssertionError(f"saga up is not ready (exit code {system.process.poll()})")
