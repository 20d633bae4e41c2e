"""What is too large, too deep or too slow costs the service next to nothing, and nobody else anything."""

import asyncio
import gzip
import json
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from support import eventually
from support.orchestrator_process import answers, own_environment, process
from support.services import ordering

MB = 2**20
MAX_GROWTH = 50 * MB
SLOW_CONNECTIONS = 1_000
RECEIVE_TIMEOUT_S = 3.0
JSON = {"Content-Type": "application/json"}

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="Linux tells memory")]


@dataclass
class Victim:
    client: httpx.AsyncClient
    host: str
    port: int
    pid: int

    def memory(self) -> int:
        """Resident bytes."""
        return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * 4_096

    async def reads(self, count: int) -> tuple[float, float]:
        """Seconds of the 99th percentile of so many reads, and of the slowest."""
        times = []
        for _ in range(count):
            begun = time.perf_counter()
            assert (await self.client.get("/v1/sagas?limit=1")).status_code == 200
            times.append(time.perf_counter() - begun)
        return sorted(times)[count * 99 // 100], max(times)

    @asynccontextmanager
    async def unharmed(self) -> AsyncIterator[None]:
        """Its memory does not grow, and it still does its work."""
        await self.reads(20)
        before = self.memory()
        yield
        assert self.memory() - before < MAX_GROWTH
        assert (await self.client.post("/v1/sagas", json=ordering())).status_code == 202


@pytest.fixture
async def victim(mongo_url: str, redis_url: str) -> AsyncIterator[Victim]:
    environment = own_environment(mongo_url, redis_url) | {"SAGA_RECEIVE_TIMEOUT_S": str(RECEIVE_TIMEOUT_S)}
    port = int(environment["SAGA_HTTP_PORT"])
    base_url = f"http://127.0.0.1:{port}"
    async with process(environment) as child, httpx.AsyncClient(trust_env=False, base_url=base_url) as client:
        await eventually(lambda: answers(client), within_s=20)
        yield Victim(client, "127.0.0.1", port, child.pid)


async def chunks(count: int) -> AsyncIterator[bytes]:
    for _ in range(count):
        yield b" " * 65_536


async def test_bodies_that_are_too_large_too_deep_or_no_json(victim: Victim) -> None:
    bomb = gzip.compress(b" " * 64 * MB)
    deep = b"[" * 100_000
    async with victim.unharmed():
        for body, more, status in (
            (b" " * 64 * MB, {}, 413),
            (chunks(1_024), {}, 413),
            (bomb, {"Content-Encoding": "gzip"}, 415),
            (bomb, {}, 400),
            (deep, {}, 422),
            (deep + b"]" * 100_000, {}, 422),
            (b'{"saga": "order", "saga": "order", "data": {}}', {}, 400),
            (b'{"saga": "order", "data": {"a": NaN}}', {}, 400),
            (json.dumps(ordering()).encode(), {"Content-Type": "text/plain"}, 415),
        ):
            found = await status_of(victim, body, more)
            assert found == status or (found is None and status == 413)


async def status_of(victim: Victim, body: object, headers: dict[str, str]) -> int | None:
    """None: the connection was closed while the body was still being sent."""
    try:
        answer = await victim.client.post("/v1/sagas", content=body, headers=JSON | headers)  # type: ignore[arg-type]
    except (httpx.WriteError, httpx.ReadError, httpx.RemoteProtocolError):
        return None
    return answer.status_code


async def test_a_head_of_more_than_16_kib_is_refused(victim: Victim) -> None:
    async with victim.unharmed():
        assert (await victim.client.get("/livez", headers={"X-Much": "x" * 17_000})).status_code == 431
        endless = await victim.client.get("/livez", headers={"X-Much": "x" * 200_000})
        assert endless.status_code in (400, 431)  # The server gives up where it has not read the end by then.
        assert (await victim.client.get("/livez", headers={"X-Some": "x" * 8_000})).status_code == 200


async def test_a_thousand_slow_connections_delay_nobody_and_are_closed(victim: Victim) -> None:
    alone, _ = await victim.reads(300)
    async with victim.unharmed(), AsyncExitStack() as stack:
        readers = []
        for _ in range(SLOW_CONNECTIONS):
            reader, writer = await asyncio.open_connection(victim.host, victim.port)
            stack.callback(writer.close)
            writer.write(b"POST /v1/sagas HTTP/1.1\r\nHost: saga\r\nX-Slow: ")
            readers.append(reader)
        beside, slowest = await victim.reads(300)
        assert beside < max(5 * alone, 0.25), (alone, beside)
        assert slowest < RECEIVE_TIMEOUT_S, "one of them waited for another's head"
        async with asyncio.timeout(RECEIVE_TIMEOUT_S + 10):
            assert await asyncio.gather(*(reader.read() for reader in readers)) == [b""] * SLOW_CONNECTIONS
