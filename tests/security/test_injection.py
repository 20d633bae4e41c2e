"""Nothing that a client sends becomes part of a query: shown by MongoDB's own profiler, for each place that takes text.

More than 200 payloads (tests/support/payloads.py) in every path, query, header and string.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
from pymongo import AsyncMongoClient

from orchestrator.app import Orchestrator
from support import payloads
from support.fuzzing import Watched
from support.services import ordering, settings_for

AT_ONCE = 16
QUERIES = ("saga", "status", "since", "q", "limit", "cursor")

Json = dict[str, Any]


class Target:
    """A real orchestrator on a real MongoDB that writes down what it is asked."""

    def __init__(self, orchestrator: Orchestrator, profiled: Any) -> None:
        self.watched = Watched(orchestrator.app)
        transport = httpx.ASGITransport(app=self.watched)
        self.client = httpx.AsyncClient(transport=transport, base_url="http://saga")
        self._profiled = profiled

    async def operators(self) -> set[str]:
        """Every operator in every command that MongoDB got so far."""
        rows = await self._profiled["system.profile"].find({}, {"command": 1, "originatingCommand": 1}).to_list(None)
        return {key for row in rows for key in _keys(row) if key.startswith("$")} - {"$db", "$clusterTime"}

    async def ask(self, requests: list[tuple[str, str, Json]]) -> None:
        limit = asyncio.Semaphore(AT_ONCE)

        async def one(method: str, path: str, more: Json) -> None:
            async with limit:
                await self.client.request(method, path, **more)

        await asyncio.gather(*(one(*request) for request in requests))


def _keys(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from _keys(item)
    if isinstance(value, list):
        for item in value:
            yield from _keys(item)


@pytest.fixture
async def target(mongo_url: str, redis_url: str) -> AsyncIterator[Target]:
    settings = settings_for(mongo_url, redis_url)
    async with AsyncMongoClient[Any](mongo_url) as mongo:
        database = mongo[settings.database]
        await database.create_collection("system.profile", capped=True, size=64 * 2**20)
        await database.command("profile", 2)
        orchestrator = Orchestrator(settings)
        await orchestrator.start()
        made = Target(orchestrator, database)
        try:
            yield made
        finally:
            await made.client.aclose()
            await orchestrator.stop(5.0)
            await database.command("profile", 0)


async def ordinary(target: Target) -> None:
    """Everything once as it is meant, so that all of our own operators are seen."""
    for saga_id in ("a", "b"):
        await target.client.post("/v1/sagas", json=ordering(id=saga_id))
        for action in ("cancel", "retry", "skip", "abort"):
            await target.client.post(f"/v1/sagas/{saga_id}/{action}", json={"reason": "why"})
    await target.client.post("/v1/sagas:batch", json={"sagas": [ordering(id="c"), ordering(id="d")]})
    page = (await target.client.get("/v1/sagas?limit=1")).json()
    since = "2020-01-31T12:00:00Z"
    for query in (f"since={since}", "q=a", "saga=order", "status=running", f"cursor={page['next']}"):
        await target.client.get(f"/v1/sagas?{query}&limit=1")
    letter = f"/v1/dead-letters/{'0' * 32}"
    for method, path in (("GET", letter), ("POST", f"{letter}/redrive"), ("DELETE", letter), ("GET", "/readyz")):
        await target.client.request(method, path)
    await target.client.get("/v1/dead-letters")
    await target.client.get("/v1/sagas/a/history")
    await target.client.get("/metrics")


def everywhere() -> Iterator[tuple[str, str, Json]]:
    for number, text in enumerate(payloads.texts()):
        quoted = httpx.QueryParams({"x": text})["x"]
        part = httpx.URL("http://saga").copy_with(params={"p": quoted}).query.decode().removeprefix("p=") or "%20"
        for path in (f"/v1/sagas/{part}", f"/v1/dead-letters/{part}", f"/v1/definitions/{part}", f"/problems/{part}"):
            yield "GET", path, {}
        yield "GET", f"/v1/sagas/{part}/history", {}
        yield "POST", f"/v1/sagas/{part}/cancel", {"json": {"reason": text}}
        yield "DELETE", f"/v1/dead-letters/{part}", {}
        for name in QUERIES:
            yield "GET", "/v1/sagas", {"params": {name: text}}
            yield "GET", "/v1/sagas", {"params": {f"{name}{text}": "1"}}
        yield "GET", "/v1/dead-letters", {"params": {"cursor": text}}
        header = text.encode("ascii", "replace").decode().replace("\r", "").replace("\n", "").replace("\0", "")
        yield "POST", "/v1/sagas", {"json": ordering(), "headers": {"Idempotency-Key": f"{number}{header}"}}
        yield "GET", "/v1/sagas/a", {"headers": {"If-None-Match": header, "Prefer": header}}
        yield "POST", "/v1/sagas/a/abort", {"json": {}, "headers": {"If-Match": header}}
    for value in payloads.values():
        yield from _bodies(value)


def _bodies(value: Any) -> Iterator[tuple[str, str, Json]]:
    body = ordering()
    for field in ("saga", "id", "data"):
        yield "POST", "/v1/sagas", {"json": body | {field: value}}
    for field in ("customer_id", "order_id", "items"):
        yield "POST", "/v1/sagas", {"json": body | {"data": body["data"] | {field: value}}}
    yield "POST", "/v1/sagas:batch", {"json": {"sagas": [value, ordering(customer=value)]}}
    for reason, data in ((value, {}), ("why", value), ("why", {"order_id": value})):
        yield "POST", "/v1/sagas/a/skip", {"json": {"reason": reason, "data": data}}


@pytest.mark.slow
async def test_no_operator_of_a_query_comes_from_a_request(target: Target) -> None:
    await ordinary(target)
    own = await target.operators()
    assert "$set" in own  # The profiler sees what we do ourselves.
    requests = list(everywhere())
    assert len(payloads.values()) > 200
    target.watched.statuses.clear()
    await target.ask(requests)
    assert await target.operators() <= own
    assert target.watched.leaks == []
    statuses = target.watched.statuses
    assert {status for status in statuses if status >= 500} == set(), statuses
    assert statuses.total() == len(requests)
    # What is accepted is text, kept as text.
    for saga in (await target.client.get("/v1/sagas?limit=200")).json()["items"]:
        assert isinstance(saga["data"]["customer_id"], str)
