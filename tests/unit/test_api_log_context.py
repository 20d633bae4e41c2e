"""What is logged while a request is answered says which request it was, in whose name, and in which trace."""

from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from structlog.contextvars import merge_contextvars

from adapters.memory_bus import MemoryBus
from support.api import Api, running
from support.clock import ManualClock
from support.traces import Traces, keeping
from support.waiting import eventually

TRACE = "0af7651916cd43dd8448eb211c80319c"
HEADERS = {"X-Request-Id": "r-1", "traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}


@pytest.fixture
def logged() -> Iterator[list[dict[str, Any]]]:
    with structlog.testing.capture_logs(processors=[merge_contextvars]) as lines:
        yield lines  # type: ignore[misc]  # as structlog names what a line is


async def test_requests_are_logged_where_that_is_wanted(logged: list[dict[str, Any]]) -> None:
    async with running(Api(access_log=True)) as api:
        await api.start(HEADERS, id="a")
        await api.client.get("/v1/sagas/a", headers=HEADERS)
        await api.client.get("/v1/sagas/alice@example.com/none", headers=HEADERS)
        await api.client.get("/livez")
    lines = [line for line in logged if line["event"] == "request-answered"]
    assert [(line["method"], line["route"], line["status"]) for line in lines] == [
        ("POST", "/v1/sagas", 202),
        ("GET", "/v1/sagas/{saga_id}", 200),
        ("GET", "other", 404),
    ]
    assert [line.get("saga_id") for line in lines] == [None, "a", None]
    assert {(line["request_id"], line["trace_id"]) for line in lines} == {("r-1", TRACE)}
    assert all(line["took_ms"] >= 0 for line in lines)
    assert "alice" not in str(lines)


async def test_requests_are_not_logged_unless_that_is_wanted(logged: list[dict[str, Any]]) -> None:
    async with running(Api()) as api:
        await api.start()
    assert not [line for line in logged if line["event"] == "request-answered"]


async def test_a_line_within_a_request_says_which_one(logged: list[dict[str, Any]]) -> None:
    async with running(Api()) as api:
        await api.start(id="a")
        await api.client.post("/v1/sagas/a/retry", json={"reason": ""}, headers=HEADERS)
    (line,) = [line for line in logged if line["event"] == "audit"]
    assert (line["request_id"], line["trace_id"], line["saga_id"]) == ("r-1", TRACE, "a")


async def test_what_is_done_for_many_requests_is_not_logged_as_one_of_them(logged: list[dict[str, Any]]) -> None:
    bus = MemoryBus(ManualClock())
    bus.server.down = True
    api = Api(bus=bus)
    await api.start(HEADERS)
    line = await eventually(lambda: next((one for one in logged if one["event"] == "start-not-announced"), None))
    assert line is not None
    assert not line.keys() & {"request_id", "trace_id", "caller"}
    await api.client.aclose()


async def test_spans_of_requests_say_what_metrics_say_and_probes_have_none() -> None:
    traces = Traces()
    async with running(Api(tracer=keeping(traces))) as api:
        await api.client.get("/v1/sagas/none", headers={"X-Request-Id": "r-1"})
        await api.client.get("/nowhere/alice@example.com")
        for probe in ("/livez", "/readyz", "/metrics"):
            await api.client.get(probe)
    found, nowhere = (span for span in traces.spans if span.kind == "SERVER")
    assert found.name == "GET /v1/sagas/{saga_id}"
    assert found.attributes["http.response.status_code"] == 404
    assert (found.attributes["http.route"], found.attributes["saga.request_id"]) == ("/v1/sagas/{saga_id}", "r-1")
    assert (nowhere.name, nowhere.error) == ("GET", None)
    assert "alice" not in str(traces.spans)
