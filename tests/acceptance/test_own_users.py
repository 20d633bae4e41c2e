"""Every service with a user of its own, who may do as little as it does: that is enough, and no more is asked for."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis
from pymongo import MongoClient

from adapters.servers.process import free_port
from support import eventually
from support.guarded import Guarded, guarded
from support.source import ROOT

UP_WITHIN_S = 60
ORDER = {"customer_id": "alice", "items": [{"product_id": "boots", "quantity": 1}]}
KINDS = {"completed": ORDER, "compensated": {**ORDER, "customer_id": "broke"}}


@pytest.fixture
def servers(server_directory: Path) -> Iterator[Guarded]:
    with guarded(server_directory) as servers:
        servers.init("--seed")
        yield servers


class Services:
    """Processes, each with the files of its own service, and what they say."""

    def __init__(self, servers: Guarded, directory: Path) -> None:
        self._servers, self._directory = servers, directory
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self.port = free_port()

    def start(self, name: str) -> None:
        module = ["orchestrator.app"] if name == "orchestrator" else ["participants.app", name]
        given = {key: value for key, value in os.environ.items() if not key.startswith("SAGA_")}
        with (self._directory / f"{name}.log").open("ab") as log:
            self._running[name] = subprocess.Popen(
                [sys.executable, "-m", *module],
                cwd=ROOT,
                env={**given, **self._servers.environment(name), "SAGA_HTTP_PORT": str(self.port)},
                stderr=log,
            )

    def said(self, name: str) -> str:
        return (self._directory / f"{name}.log").read_text()

    def end(self, number: int = signal.SIGTERM) -> None:
        for process in self._running.values():
            process.send_signal(number)
        for process in self._running.values():
            process.wait(30)
        self._running.clear()


@asynccontextmanager
async def serving(servers: Guarded, directory: Path) -> AsyncIterator[tuple[Services, httpx.AsyncClient]]:
    services = Services(servers, directory)
    url = f"http://127.0.0.1:{services.port}"
    try:
        async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=20) as client:
            yield services, client
    finally:
        services.end(signal.SIGKILL)


async def ready(client: httpx.AsyncClient) -> bool:
    try:
        return (await client.get("/readyz")).status_code == 200
    except httpx.TransportError:
        return False


async def ended(client: httpx.AsyncClient, order: dict[str, Any]) -> str:
    body = {"saga": "order", "data": order}
    answer = await client.post("/v1/sagas", json=body, headers={"Prefer": "wait=20"})
    return str(answer.json()["status"])


async def test_sagas_come_to_their_ends_and_no_service_is_refused_anything(servers: Guarded, tmp_path: Path) -> None:
    async with serving(servers, tmp_path) as (services, client):
        for name in ("inventory", "payment", "orders", "orchestrator"):
            services.start(name)
        await eventually(lambda: ready(client), within_s=UP_WITHIN_S)
        for status, order in KINDS.items():
            assert await ended(client, order) == status
        assert "saga_stream_group_lag" in (await client.get("/metrics")).text
        async with client.stream("GET", "/v1/sagas/events", timeout=20) as events:
            assert events.status_code == 200  # A change stream is open.
        await asyncio.to_thread(services.end)  # Also what is done at the end needs rights.
    by_redis = redis.Redis.from_url(servers.url("init", "redis_url")).acl_log()
    assert {(str(one["username"]), str(one["reason"]), str(one["object"])) for one in by_redis} == set()
    lines = servers.mongo.log_file.read_text().splitlines()
    # `saga init` says goodbye to a MongoDB that asks for its password by then.
    assert [line for line in lines if "not authorized" in line and "endSessions" not in line] == []
    assert not [name for name in ("inventory", "payment", "orders", "orchestrator") if "NOPERM" in services.said(name)]


async def test_whoever_may_not_make_an_index_that_is_missing_says_so_and_goes_on_once_it_is_there(
    servers: Guarded, tmp_path: Path
) -> None:
    with MongoClient[Any](servers.url("init", "mongo_url")) as admin:
        admin.saga_orchestrator.sagas.drop_index("wake_at")
        admin.saga_inventory.inbox.drop_indexes()
    async with serving(servers, tmp_path) as (services, client):
        for name in ("inventory", "payment", "orders", "orchestrator"):
            services.start(name)
        wanted = "saga_orchestrator.sagas has no index 'wake_at' as it should be, and this user may not make it: run "
        await eventually(lambda: f"{wanted}`saga init`" in services.said("orchestrator"), within_s=UP_WITHIN_S)
        assert not await ready(client)

        await asyncio.to_thread(servers.init)

        await eventually(lambda: ready(client), within_s=UP_WITHIN_S)
        assert await ended(client, ORDER) == "completed"
