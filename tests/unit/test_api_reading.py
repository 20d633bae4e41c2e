"""Looking at sagas over HTTP: one, many, and whether the service is well."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fastapi.routing import APIRoute
from pydantic import TypeAdapter

from orchestrator.api import schemas
from orchestrator.api.application import routers
from orchestrator.api.problems import Kind
from orchestrator.core.state import SagaState, Status
from orchestrator.listed import Page, Query
from orchestrator.memory_store import MemorySagaStore
from support import eventually
from support.api import BODY, Api, pointers, problem, running

AT = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with running(Api()) as made:
        yield made


async def filled(api: Api, count: int) -> list[str]:
    """Sagas a second apart, but pairwise at the same time; their ids, newest first."""
    for number in range(count):
        await api.start(id=f"s{number:02}")
        state = api.store.sagas[f"s{number:02}"]
        api.store.sagas[state.id] = replace(state, created_at=AT + timedelta(seconds=number // 2))
    return [f"s{number:02}" for number in reversed(range(count))]


@pytest.mark.parametrize("saga_id", ["unknown", "a" * 65, "%24ne", "a%00", "..", "é", "[$ne]"])
async def test_an_unknown_saga_is_not_found(api: Api, saga_id: str) -> None:
    assert (await api.client.get(f"/v1/sagas/{saga_id}")).status_code == 404


async def test_a_client_that_has_this_revision_gets_nothing_new(api: Api) -> None:
    await api.start(id="a")
    for tag in ('"1"', 'W/"1"', '"7", "1"', "*"):
        answer = await api.client.get("/v1/sagas/a", headers={"If-None-Match": tag})
        assert (answer.status_code, answer.content, answer.headers["ETag"]) == (304, b"", '"1"')
    assert (await api.client.get("/v1/sagas/a", headers={"If-None-Match": '"2"'})).status_code == 200


class CountingStore(MemorySagaStore):
    """Counts how often it was read."""

    loads = 0

    async def load(self, ids: Sequence[str]) -> dict[str, SagaState]:
        self.loads += 1
        return await super().load(ids)


async def test_looking_may_wait_for_the_end() -> None:
    store = CountingStore()
    async with running(Api(store=store)) as api:
        await api.start(id="a")
        waiting = asyncio.create_task(api.client.get("/v1/sagas/a", headers={"Prefer": "wait=10"}))
        await eventually(lambda: store.loads == 1)
        store.sagas["a"] = replace(store.sagas["a"], status=Status.COMPLETED, pending=())
        answer = await waiting
    assert (answer.status_code, answer.json()["status"]) == (200, "completed")
    assert answer.headers["Preference-Applied"] == "wait=10"


async def test_sagas_are_listed_newest_first_page_by_page(api: Api) -> None:
    ids = await filled(api, 7)
    seen: list[str] = []
    parameters: dict[str, Any] = {"limit": 3}
    for size in (3, 3, 1):
        page = (await api.client.get("/v1/sagas", params=parameters)).json()
        assert len(page["items"]) == size
        seen += [saga["id"] for saga in page["items"]]
        parameters["cursor"] = page["next"]
    assert seen == ids
    assert page["next"] is None


async def test_a_full_last_page_has_no_next(api: Api) -> None:
    await filled(api, 2)
    assert (await api.client.get("/v1/sagas?limit=2")).json()["next"] is None


class NarrowStore(MemorySagaStore):
    """Looks for a prefix among so few that three are too many to be looked up."""

    async def page(self, query: Query) -> Page:
        return await super().page(replace(query, most=2))


async def test_a_page_with_nothing_on_it_says_where_the_search_goes_on() -> None:
    async with running(Api(store=NarrowStore())) as api:
        old = await filled(api, 3)
        for saga_id in ("new-1", "new-2", "new-3"):
            await api.start(id=saga_id)
        found = []
        parameters = {"q": "s"}
        while parameters.get("cursor", "") is not None:
            page = (await api.client.get("/v1/sagas", params=parameters)).json()
            found.append([saga["id"] for saga in page["items"]])
            parameters["cursor"] = page["next"]
    assert found == [[], old[:1], old[1:], []]


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ({"saga": "order"}, ["s03", "s02", "s01", "s00"]),
        ({"saga": "other"}, []),
        ({"status": "completed"}, ["s00"]),
        ({"status": "stuck"}, []),
        ({"q": "s0"}, ["s03", "s02", "s01", "s00"]),
        ({"q": "s03"}, ["s03"]),
        ({"q": "0"}, []),
        ({"since": "2026-01-01T12:00:01Z"}, ["s03", "s02"]),
        ({"since": "2026-01-01T14:00:01+02:00"}, ["s03", "s02"]),
        ({"since": "2026-01-01T12:00:01Z", "q": "s02", "status": "running", "saga": "order"}, ["s02"]),
    ],
)
async def test_filters_combine(api: Api, query: dict[str, str], ids: list[str]) -> None:
    await filled(api, 4)
    api.store.sagas["s00"] = replace(api.store.sagas["s00"], status=Status.COMPLETED)
    answer = await api.client.get("/v1/sagas", params=query)
    assert [saga["id"] for saga in answer.json()["items"]] == ids


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=201",
        "limit=all",
        "limit=99999999999999999999999",
        "status=nothing",
        "status[$ne]=completed",
        "saga=%24ne",
        "saga[$ne]=x",
        "since=yesterday",
        "since=2026-01-01T12:00:00",
        "since=99999999999999999999",
        "since=9999-12-31T23:59:59-12:00",
        "since=0001-01-01T00:00:00%2B12:00",
        "q=.*",
        "q=%00",
        "q=",
        "cursor=nonsense",
        "cursor=" + "A" * 300,
        "cursor=OTk5OTk5OTk5OTk5OTk5OTk5LmE",
        "cursor=OTk5OTk5OTk5OTk5OTk5LmE",
        "cursor=%C3%A9",
        "statuss=stuck",
    ],
)
async def test_a_filter_that_makes_no_sense_is_refused(api: Api, query: str) -> None:
    answer = await api.client.get(f"/v1/sagas?{query}")
    problem(answer, "invalid-request", 422)
    assert pointers(answer)[0].split("[")[0] == "/" + query.split("=", maxsplit=1)[0].split("[", maxsplit=1)[0]


async def test_what_is_shown_is_what_the_document_says(api: Api) -> None:
    await api.start(id="a")
    schemas.Saga.model_validate_json((await api.client.get("/v1/sagas/a")).content)
    schemas.Page.model_validate_json((await api.client.get("/v1/sagas")).content)
    batch = await api.client.post("/v1/sagas:batch", json={"sagas": [BODY, 7]})
    schemas.Results.model_validate_json(batch.content)
    schemas.Ready.model_validate_json((await api.client.get("/readyz?verbose")).content)
    TypeAdapter(schemas.Problem).validate_json((await api.client.get("/nothing")).content)


async def test_the_document_describes_every_route_and_every_problem(api: Api) -> None:
    document = (await api.client.get("/openapi.json")).json()
    assert document["openapi"].startswith("3.1")
    text = json.dumps(document)
    missing = {kind for kind in Kind if f"`{kind.type}`" not in text} - {
        Kind.NOT_FOUND,
        Kind.METHOD_NOT_ALLOWED,
        Kind.BAD_REQUEST,
    }
    assert not missing
    routes = [route for router in routers(api.services) for route in router.routes if isinstance(route, APIRoute)]
    assert set(document["paths"]) == {route.path for route in routes if route.include_in_schema}
    references = {part.split('"')[0] for part in text.split('"#/components/schemas/')[1:]}
    assert references <= set(document["components"]["schemas"])
    assert "HTTPValidationError" not in text


async def test_the_document_has_the_exact_input_of_each_saga(api: Api) -> None:
    found = (await api.client.get("/openapi.json")).json()["components"]["schemas"]
    assert found["StartRequest"]["oneOf"] == [{"$ref": "#/components/schemas/order.v1.start"}]
    assert set(found["order.v1.input"]["properties"]) == {"order_id", "customer_id", "items"}
    assert found["order.v1.input"]["additionalProperties"] is False
    assert found["order.v1.PlacedItem"]["properties"]["quantity"]["minimum"] == 1


async def test_a_well_service_is_ready(api: Api) -> None:
    assert (await api.client.get("/readyz")).json() == {"status": "ready"}
    checks = (await api.client.get("/readyz?verbose")).json()["checks"]
    assert checks == {"mongodb": "ok", "bus": "ok", "service": "ok"}


async def test_a_service_without_its_servers_is_alive_but_not_ready(api: Api) -> None:
    api.store.away = True
    api.bus.server.down = True
    answer = await api.client.get("/readyz")
    found = problem(answer, "not-ready", 503)
    assert set(found["checks"]) == {"mongodb", "bus"}
    assert "the server is down" in found["detail"]
    assert answer.headers["Retry-After"]
    assert (await api.client.get("/readyz?verbose")).json()["checks"]["service"] == "ok"
    assert (await api.client.get("/livez")).status_code == 200
    api.store.away = api.bus.server.down = False
    assert (await api.client.get("/readyz")).status_code == 200


async def test_a_process_that_has_not_begun_is_not_ready() -> None:
    async with running(Api(not_ready=lambda: "waiting for MongoDB to begin")) as api:
        found = problem(await api.client.get("/readyz"), "not-ready", 503)
        assert found["checks"] == {"service": "waiting for MongoDB to begin"}


class SilentStore(MemorySagaStore):
    """Never answers a ping."""

    async def ping(self) -> None:
        await asyncio.Event().wait()


async def test_a_server_that_says_nothing_does_not_hold_the_probe_up() -> None:
    async with running(Api(store=SilentStore())) as api, asyncio.timeout(2.8):
        problem(await api.client.get("/readyz"), "not-ready", 503)


async def test_reading_while_the_store_is_away_says_so(api: Api) -> None:
    api.store.away = True
    for path in ("/v1/sagas", "/v1/sagas/a"):
        answer = await api.client.get(path)
        problem(answer, "unavailable", 503)
        assert answer.headers["Retry-After"]


async def test_a_saga_that_was_accepted_is_shown_as_it_was_last_seen_when_the_store_goes_away(api: Api) -> None:
    waiting = asyncio.create_task(api.start({"Prefer": "wait=1.5"}, id="a"))
    await eventually(lambda: "a" in api.store.sagas)
    api.store.away = True
    answer = await waiting
    assert (answer.status_code, answer.json()["status"]) == (202, "running")
