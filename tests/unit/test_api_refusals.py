"""Whatever a client sends, it gets a problem that says what is wrong, without values and without internals."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import structlog

from orchestrator.api.guard import Limits
from orchestrator.core.state import SagaState
from orchestrator.memory_store import MemorySagaStore
from support.api import BODY, DATA, Api, client_of, pointers, problem, running

JSON = {"Content-Type": "application/json"}
SECRET = "value-that-must-not-be-echoed"


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with running(Api()) as made:
        yield made


def ordering(**fields: Any) -> dict[str, Any]:
    return {"saga": "order", "data": DATA | fields}


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"nonsense",
        b"\xff\xfe{}",
        b'\xef\xbb\xbf{"saga": "order"}',
        b'{"saga": "order", "saga": "order", "data": {}}',
        b'{"saga": "order", "data": {"customer_id": NaN}}',
        b'{"saga": "order", "data": {"customer_id": -Infinity}}',
        b'{"saga": "order"} {}',
        b'{"saga": "or\nder"}',
    ],
)
async def test_what_is_not_json_is_malformed(api: Api, body: bytes) -> None:
    problem(await api.send(body), "malformed-json", 400)


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ([], ""),
        ("text", ""),
        (None, ""),
        ({"data": DATA}, "/saga"),
        ({"saga": "order"}, "/data"),
        (BODY | {"state": "completed"}, "/state"),
        (BODY | {"version": 2}, "/version"),
        (BODY | {"saga": {"$ne": None}}, "/saga"),
        (BODY | {"saga": "Not A Name"}, "/saga"),
        (BODY | {"saga": "x" * 65}, "/saga"),
        (BODY | {"data": [1]}, "/data"),
        (BODY | {"id": {"$gt": ""}}, "/id"),
        (BODY | {"id": 7}, "/id"),
        (BODY | {"id": ""}, "/id"),
        (BODY | {"id": "events"}, "/id"),
        (BODY | {"id": "a/b"}, "/id"),
        (BODY | {"id": "a\0b"}, "/id"),
        (BODY | {"id": "ab\n"}, "/id"),
        (BODY | {"id": "x" * 65}, "/id"),
        (ordering(amount=1), "/data/amount"),
        (ordering(customer_id={"$ne": None}), "/data/customer_id/$ne"),
        (ordering(customer_id=["a"]), "/data/customer_id"),
        (ordering(customer_id=None), "/data/customer_id"),
        (ordering(customer_id="a\0b"), "/data/customer_id"),
        (ordering(customer_id=True), "/data/customer_id"),
        (ordering(customerId="alice"), "/data/customerId"),
        (ordering(**{"a.b": 1}), "/data/a.b"),
        (ordering(**{"$where": "1"}), "/data/$where"),
        (ordering(items=[]), "/data/items"),
        (ordering(items={"$exists": True}), "/data/items/$exists"),
        (ordering(items=[{"product_id": "boots", "quantity": 0}]), "/data/items/0/quantity"),
        (ordering(items=[{"product_id": "boots", "quantity": 2**63}]), "/data/items/0/quantity"),
        (ordering(items=[{"product_id": "boots", "quantity": 1.5}]), "/data/items/0/quantity"),
        (ordering(items=[{"product_id": "boots", "quantity": 1, "price": 1}]), "/data/items/0/price"),
        (ordering(items=[{"product_id": "boots"}]), "/data/items/0/quantity"),
    ],
)
async def test_what_does_not_fit_is_refused_with_its_place(api: Api, body: Any, where: str) -> None:
    answer = await api.send(json.dumps(body).encode())
    problem(answer, "invalid-request", 422)
    assert where in pointers(answer)
    assert "dictionary" not in answer.text  # They are called objects there.
    assert not api.store.sagas


@pytest.mark.parametrize(
    "body",
    [
        b'{"saga": "order", "data": {"customer_id": ' + b"9" * 21 + b"}}",
        b'{"saga": "order", "data": {"customer_id": ' + b"9" * 200_000 + b"}}",
        b'{"saga": "order", "data": {"customer_id": 1e999}}',
        b'{"saga": "order", "data": {"customer_id": "\\ud800"}}',
        b'{"saga": "order", "data": ' + b"[" * 100_000,
        b'{"saga": "order", "data": {"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}}",
        json.dumps(ordering(note=nested(40))).encode(),
    ],
)
async def test_what_could_not_be_stored_is_refused(api: Api, body: bytes) -> None:
    problem(await api.send(body), "invalid-request", 422)


async def test_an_unknown_saga_is_refused_and_the_known_ones_are_named(api: Api) -> None:
    answer = await api.start(saga="nothing-like-this")
    assert problem(answer, "unknown-saga", 422)["known"] == ["order"]
    assert pointers(answer) == ["/saga"]


async def test_values_are_never_echoed(api: Api) -> None:
    bad = {
        "saga": "order",
        "id": f"{SECRET} ",
        "data": {"customer_id": [SECRET], "items": SECRET, "order_id": "\0" + SECRET},
    }
    for body in (
        bad,
        {k: bad[k] for k in ("saga", "data")},
        {"saga": SECRET + "!", "data": {}},
        {"saga": SECRET, "data": {}},
    ):
        answer = await api.send(json.dumps(body).encode())
        assert answer.status_code == 422
        assert SECRET not in answer.text


async def test_many_faults_are_cut_to_a_few(api: Api) -> None:
    answer = await api.send(json.dumps(ordering(**{f"f{n}" + "x" * 999: 1 for n in range(99)})).encode())
    assert len(pointers(answer)) == 20
    assert all(len(where) <= 200 for where in pointers(answer))


@pytest.mark.parametrize(
    "content_type", ["", "text/plain", "application/x-www-form-urlencoded", "application/jsonp", "*/*"]
)
async def test_another_media_type_is_refused(api: Api, content_type: str) -> None:
    problem(await api.send(json.dumps(BODY).encode(), content_type=content_type), "unsupported-media-type", 415)


@pytest.mark.parametrize("content_type", ["application/json", "Application/JSON; charset=utf-8"])
async def test_json_may_name_its_charset(api: Api, content_type: str) -> None:
    assert (await api.send(json.dumps(BODY).encode(), content_type=content_type)).status_code == 202


@pytest.mark.parametrize("path", ["/", "/v1", "/v1/sagas/", "/v2/sagas", "/docs/no", "/redoc", "/problems/no", "/%00"])
async def test_an_unknown_path_is_a_problem(api: Api, path: str) -> None:
    problem(await api.client.get(path), "not-found", 404)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("DELETE", "/v1/sagas"),
        ("PUT", "/v1/sagas/a"),
        ("TRACE", "/v1/sagas"),
        ("GET", "/v1/sagas:batch"),
        ("POST", "/livez"),
    ],
)
async def test_an_unlisted_method_is_a_problem(api: Api, method: str, path: str) -> None:
    answer = await api.client.request(method, path)
    problem(answer, "method-not-allowed", 405)
    assert answer.headers["Allow"]


async def test_a_body_that_says_it_is_too_long_is_refused_unread(api: Api) -> None:
    answer = await api.client.post("/v1/sagas", content=b"", headers=JSON | {"Content-Length": str(64 * 2**20)})
    problem(answer, "body-too-large", 413)


async def test_a_body_that_turns_out_too_long_is_refused_at_that_byte() -> None:
    read = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal read
        while True:
            read += 1_000
            yield b" " * 1_000

    async with running(Api(limits=Limits(body_bytes=10_000))) as api:
        problem(await api.client.post("/v1/sagas", content=endless(), headers=JSON), "body-too-large", 413)
        assert read == 11_000


async def test_a_body_that_does_not_arrive_is_given_up() -> None:
    async def silent() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.Event().wait()

    async with running(Api(limits=Limits(body_timeout_s=0.05))) as api:
        problem(await api.client.post("/v1/sagas", content=silent(), headers=JSON), "body-timeout", 408)


async def test_more_requests_at_once_than_allowed_are_refused_but_probes_are_answered() -> None:
    begun, release = asyncio.Event(), asyncio.Event()

    async def held() -> AsyncIterator[bytes]:
        yield b"{"
        begun.set()
        await release.wait()

    async with running(Api(limits=Limits(requests=1))) as api:
        holding = asyncio.create_task(api.client.post("/v1/sagas", content=held(), headers=JSON))
        await begun.wait()
        refused = await api.client.get("/v1/sagas")
        problem(refused, "overloaded", 503)
        assert refused.headers["Retry-After"]
        assert (await api.client.get("/livez")).status_code == 200
        release.set()
        problem(await holding, "malformed-json", 400)
        assert (await api.client.get("/v1/sagas")).status_code == 200


class BrokenStore(MemorySagaStore):
    """Raises what nobody foresaw."""

    async def load(self, ids: Any) -> dict[str, SagaState]:
        raise RuntimeError("pymongo at mongodb://user:password@host failed in /usr/lib")

    async def insert(self, states: Any) -> Any:
        raise RuntimeError("pymongo at mongodb://user:password@host failed in /usr/lib")


async def test_an_unforeseen_error_shows_a_request_id_and_nothing_else() -> None:
    async with running(Api(store=BrokenStore())) as api:
        with structlog.testing.capture_logs() as logged:
            answers = [await api.client.get("/v1/sagas/a", headers={"X-Request-Id": "r-1"}), await api.start()]
        assert [line["request_id"] for line in logged if line["event"] == "request-failed"] == ["r-1", "id-1"]
        for answer in answers:
            found = problem(answer, "internal-error", 500)
            assert found["request_id"] == answer.headers["X-Request-Id"]
            assert "password" not in answer.text


@pytest.mark.parametrize(("given", "kept"), [("abc.DEF-1", True), ("x" * 65, False), ("a b", False), ("a\\nb", False)])
async def test_a_request_id_is_kept_if_it_is_harmless(api: Api, given: str, kept: bool) -> None:
    answer = await api.client.get("/livez", headers={"X-Request-Id": given})
    assert (answer.headers["X-Request-Id"] == given) is kept
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "server" not in answer.headers


async def test_a_batch_gets_one_result_each_in_order(api: Api) -> None:
    sagas = [BODY | {"id": "a"}, BODY | {"saga": "other"}, 7, BODY, ordering(amount=1), BODY | {"id": "a"}]
    answer = await api.client.post("/v1/sagas:batch", json={"sagas": sagas})
    results = answer.json()["results"]
    new = results[3]["id"]
    assert answer.status_code == 200
    assert [result["status"] for result in results] == ["running", 422, 422, "running", 422, "running"]
    assert [result["id"] for result in results if "id" in result] == ["a", new, "a"]
    assert results[4]["errors"][0]["pointer"] == "/sagas/4/data/amount"
    assert set(api.store.sagas) == {"a", new}


async def test_a_batch_with_a_key_can_be_repeated(api: Api) -> None:
    bodies = {"sagas": [BODY, BODY]}
    first = await api.client.post("/v1/sagas:batch", json=bodies, headers={"Idempotency-Key": "k"})
    second = await api.client.post("/v1/sagas:batch", json=bodies, headers={"Idempotency-Key": "k"})
    assert first.json() == second.json()
    assert len(api.store.sagas) == 2
    changed = await api.client.post(
        "/v1/sagas:batch", json={"sagas": [BODY, ordering(customer_id="b")]}, headers={"Idempotency-Key": "k"}
    )
    assert [result["status"] for result in changed.json()["results"]] == ["running", 422]


@pytest.mark.parametrize(
    "body",
    [[], {}, {"sagas": {}}, {"sagas": []}, {"sagas": [BODY] * 4}, {"sagas": [BODY], "more": 1}, None, {"sagas": "a"}],
)
async def test_a_batch_of_another_shape_is_refused(body: Any) -> None:
    async with running(Api(max_batch=3)) as api:
        problem(await api.send(json.dumps(body).encode(), "/v1/sagas:batch"), "invalid-request", 422)
        assert not api.store.sagas


async def test_a_batch_beyond_what_may_be_in_flight_starts_nothing() -> None:
    async with running(Api(max_active=2)) as api:
        answer = await api.client.post("/v1/sagas:batch", json={"sagas": [BODY] * 3})
        problem(answer, "overloaded", 503)
        assert not api.store.sagas
    async with client_of(api.app) as client:
        assert (await client.get("/livez")).json() == {"status": "alive"}
