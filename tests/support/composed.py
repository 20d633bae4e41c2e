"""compose.yaml as a project of its own, on a port of its own: brought up, asked, struck, and removed with its data."""

import asyncio
import json
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from typing import Any

import httpx

from adapters.servers.process import free_port
from support.source import ROOT

PROJECT = f"saga-test-{os.getpid()}"  #: two runs on one Docker don't meet
_OWN_IMAGES = {"SAGA_IMAGE": PROJECT, "SAGA_BALANCER_IMAGE": f"{PROJECT}-balancer"}
IMAGES = ("debian:13-slim", "mongo:7", "python:3.13-slim", "redis:7")
UP_WITHIN_S = 600
BUSY = (502, 503, 504)

#: Runs where `saga init` runs, as MongoDB's administrator.
_ASK_MONGO = """
import json, os, pymongo
client = pymongo.MongoClient(open(os.environ["SAGA_MONGO_URL_FILE"]).read().strip())
print(json.dumps({expression}, default=str))
"""
#: Of each key: its balance less the sum of its rows; only what does not add up.
_WRONG_SUMS = """[
    (name, row["_id"]) for name, collection, balance in [
        ("saga_inventory", "products", "available"), ("saga_payment", "accounts", "balance")]
    for row in client[name][collection].find() if row[balance] != sum(
        entry["amount"] for entry in client[name].ledger.find({"key": row["_id"]}))]"""
_TWICE = """[
    (name, str(row["_id"])) for name in ("saga_inventory", "saga_payment", "saga_orders")
    for row in client[name].ledger.aggregate([
        {"$match": {"saga_id": {"$exists": True}}},
        {"$group": {"_id": ["$saga_id", "$kind", "$key"], "count": {"$sum": 1}}},
        {"$match": {"count": {"$gt": 1}}}])]"""


@cache
def why_not() -> str | None:
    """Why it can't be brought up here and now; None where it can. Pulls nothing, and takes seconds at most."""
    for words in (["info"], ["compose", "version"]):
        try:
            subprocess.run(["docker", *words], check=True, capture_output=True, timeout=10)
        except (OSError, subprocess.SubprocessError) as error:
            return f"docker {' '.join(words)}: {type(error).__name__}"
    tags = subprocess.run(["docker", "images", "--format", "{{.Repository}}:{{.Tag}}"], check=True, capture_output=True)
    if missing := [name for name in IMAGES if name not in tags.stdout.decode().split()]:
        return f"not all images are here, and tests pull none by themselves: docker pull {' '.join(missing)}"
    return None


@dataclass
class Composed:
    """The running project."""

    port: int
    key: str = ""
    accepted: dict[str, float] = field(default_factory=dict)  #: by saga: when, by a clock that never goes back

    def compose(self, *words: str, check: bool = True) -> "subprocess.CompletedProcess[str]":
        """`docker compose …` to its end."""
        command = ["docker", "compose", "--project-name", PROJECT, *words]
        environ = {**os.environ, **_OWN_IMAGES, "SAGA_HTTP_PORT": str(self.port)}
        done = subprocess.run(
            command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=UP_WITHIN_S, check=False
        )
        assert not check or done.returncode == 0, f"{' '.join(words)}\n{done.stdout}{done.stderr}"
        return done

    def up(self, *options: str) -> None:
        """Everything, ready."""
        self.compose("up", "-d", "--wait", *options)
        self.key = self.once("saga", "cat", "/run/secrets/api_key").strip()

    def once(self, service: str, program: str, *words: str) -> str:
        """What a program says in a container made for it."""
        return self.compose("run", "--rm", "-T", "--no-deps", "--entrypoint", program, service, *words).stdout

    def docker(self, *words: str) -> str:
        """What `docker …` says."""
        return subprocess.run(["docker", *words], check=True, capture_output=True, text=True, timeout=60).stdout

    def strike(self, container: str) -> None:
        """SIGKILL. Docker takes it for a wish, and does not start it again."""
        self.docker("kill", container)

    def python(self, service: str, code: str, *, index: int = 1) -> str:
        """What Python code prints, or how it ends, in a container of the service."""
        done = self.compose("exec", "-T", "--index", str(index), service, "python", "-c", code, check=False)
        return done.stdout + done.stderr.strip().rpartition("\n")[2]

    def mongo(self, expression: str) -> Any:
        """An expression's value in a container of `init`; `client` is MongoDB's administrator."""
        return json.loads(self.once("init", "python", "-c", _ASK_MONGO.replace("{expression}", expression)))

    def statuses(self) -> dict[str, int]:
        """How many sagas have each status."""
        counts = self.mongo('list(client.saga_orchestrator.sagas.aggregate([{"$sortByCount": "$status"}]))')
        return {row["_id"]: row["count"] for row in counts}

    def violations(self) -> list[Any]:
        """Sums that are not their balances, and effects that happened twice."""
        return [*self.mongo(_WRONG_SUMS), *self.mongo(_TWICE)]

    def client(self) -> httpx.AsyncClient:
        """Of the published port."""
        return httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{self.port}",
            headers={"Authorization": f"Bearer {self.key}"},
            trust_env=False,
            timeout=20,
            limits=httpx.Limits(max_connections=64),
        )

    async def place(self, prefix: str, count: int, per_s: float, order: dict[str, Any]) -> None:
        """Start so many, each asked for again with its id until it is accepted."""
        async with self.client() as client:
            begun, waiting = time.monotonic(), set()
            for number in range(count):
                waiting.add(asyncio.create_task(self._place(client, f"{prefix}-{number}", order)))
                await asyncio.sleep(max(0.0, begun + number / per_s - time.monotonic()))
            await asyncio.gather(*waiting)

    async def _place(self, client: httpx.AsyncClient, saga_id: str, order: dict[str, Any]) -> None:
        for _ in range(300):
            try:
                answer = await client.post("/v1/sagas", json={"saga": "order", "id": saga_id, "data": order})
            except httpx.TransportError:
                answer = None
            if answer is not None and answer.is_success:
                self.accepted[saga_id] = time.monotonic()
                return
            assert answer is None or answer.status_code in BUSY, answer.text
            await asyncio.sleep(0.2)
        raise AssertionError(f"{saga_id} was never accepted")

    @property
    def longest_pause_s(self) -> float:
        """The longest time in which nothing was accepted."""
        moments = sorted(self.accepted.values())
        return max((later - earlier for earlier, later in pairwise(moments)), default=0.0)


@contextmanager
def composed() -> Iterator[Composed]:
    """The project; nothing of it stays."""
    project = Composed(free_port())
    try:
        project.compose("down", "--volumes", "--remove-orphans")
        yield project
    finally:
        project.compose("--profile", "tools", "down", "--volumes", "--remove-orphans", "--timeout", "5", check=False)
        subprocess.run(["docker", "image", "rm", *_OWN_IMAGES.values()], check=False, capture_output=True, timeout=60)
