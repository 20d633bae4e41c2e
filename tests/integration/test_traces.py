"""One trace per saga, over real servers: a request, commands, replies and what came of them belong together."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from participants.context import Transaction
from participants.participant import Participant
from sagas.order import RESERVE_STOCK, ReserveStock, StockReserved
from support.services import ordering, participating, serving, settings_for
from support.traces import Seen, Traces, drawn, keeping
from support.waiting import eventually

TRACE = "0af7651916cd43dd8448eb211c80319c"
SPAN = "b7ad6b7169203331"
CLIENT = {"traceparent": f"00-{TRACE}-{SPAN}-01", "Prefer": "wait=10"}


class Traced:
    """A running service whose spans are kept."""

    def __init__(self, client: httpx.AsyncClient, traces: Traces) -> None:
        self.client = client
        self.traces = traces

    async def saga(self, body: Any, headers: dict[str, str] | None = None) -> Traces:
        """Start a saga, wait for its end; its whole trace."""
        answer = await self.client.post("/v1/sagas", json=body, headers={"Prefer": "wait=10"} | (headers or {}))
        assert answer.status_code == 200, answer.text
        saga_id = answer.json()["id"]
        await eventually(lambda: any(span.name == "saga order" for span in self.traces.of_saga(saga_id).spans))
        await eventually(lambda: not self._unwritten(saga_id))
        return self.traces.of_saga(saga_id)

    def _unwritten(self, saga_id: str) -> list[Seen]:
        """A parent is written after its child where it ends later: the request's span, for one."""
        return [span for span in self.traces.of_saga(saga_id).orphans if span.parent_id != SPAN]


@pytest.fixture
async def traced(mongo_url: str, redis_url: str) -> AsyncIterator[Traced]:
    settings, traces = settings_for(mongo_url, redis_url), Traces()
    tracer = keeping(traces)
    async with participating(settings, tracer), serving(settings, tracer) as client:
        yield Traced(client, traces)


async def test_an_order_is_one_trace_from_the_request_to_its_end(traced: Traced) -> None:
    trace = await traced.saga(ordering())
    assert len(trace.ids) == 1
    assert not trace.orphans
    assert not trace.twins
    request = trace.one("POST /v1/sagas")
    assert (request.parent_id, request.kind) == ("", "SERVER")
    start = trace.one("start order")
    assert start.parent_id == request.span_id
    assert trace.children(start) == ["reserve-stock", "charge-payment", "confirm", "saga order"]
    for step, participant in (("reserve-stock", "inventory"), ("charge-payment", "payment"), ("confirm", "orders")):
        attempt = trace.one(step)
        assert attempt.attributes["saga.outcome"] == "succeeded"
        assert attempt.attributes["saga.attempt"] == 1
        assert trace.children(attempt) == [f"send {participant}"]
        sending = trace.one(f"send {participant}")
        assert sending.kind == "PRODUCER"
        assert sorted(trace.children(sending)) == [f"process {participant}", "process replies", "send replies"]
        processing = trace.one(f"process {participant}")
        assert (processing.kind, processing.service) == ("CONSUMER", f"saga-participant-{participant}")
        assert processing.attributes["messaging.message.id"] == f"{start.attributes['saga.id']}/{step}/action"
    assert trace.one("saga order").attributes["saga.status"] == "completed"


async def test_a_clients_trace_goes_on_in_the_saga(traced: Traced) -> None:
    trace = await traced.saga(ordering(), CLIENT)
    assert trace.ids == {TRACE}
    assert trace.one("POST /v1/sagas").parent_id == SPAN


async def test_an_undone_order_shows_what_was_undone(traced: Traced) -> None:
    trace = await traced.saga(ordering("broke"))
    assert not trace.orphans
    start = trace.one("start order")
    assert trace.children(start) == ["reserve-stock", "charge-payment", "undo reserve-stock", "saga order"]
    refused = trace.one("charge-payment")
    assert (refused.attributes["saga.outcome"], refused.attributes["saga.code"]) == ("rejected", "insufficient-funds")
    assert refused.error is None  # A business no is no error.
    assert trace.one("undo reserve-stock").attributes["saga.kind"] == "compensation"
    ended = trace.one("saga order")
    assert ended.attributes["saga.status"] == "compensated"
    assert ended.attributes["saga.failure.code"] == "insufficient-funds"


async def test_what_the_client_does_not_want_sampled_is_not_written(traced: Traced) -> None:
    unsampled = {"traceparent": f"00-{TRACE}-{SPAN}-00", "Prefer": "wait=10"}
    answer = await traced.client.post("/v1/sagas", json=ordering(), headers=unsampled)
    assert answer.json()["status"] == "completed"
    await traced.saga(ordering())  # Whatever was to be written of the first is written by now.
    assert TRACE not in traced.traces.ids


async def test_sagas_started_together_have_a_trace_each_and_the_request_has_links_to_them(traced: Traced) -> None:
    answer = await traced.client.post("/v1/sagas:batch", json={"sagas": [ordering(), ordering()]})
    ids = [one["id"] for one in answer.json()["results"]]
    await eventually(lambda: all(traced.traces.of_saga(saga_id).named("saga order") for saga_id in ids))
    found = [traced.traces.of_saga(saga_id) for saga_id in ids]
    assert [len(trace.ids) for trace in found] == [1, 1]
    assert found[0].ids != found[1].ids
    starts = [trace.one("start order") for trace in found]
    assert [start.parent_id for start in starts] == ["", ""]
    request = next(span for span in traced.traces.spans if span.name == "POST /v1/sagas:batch")
    assert set(request.links) == {(start.trace_id, start.span_id) for start in starts}


async def test_a_repeated_start_has_a_link_to_the_saga(traced: Traced) -> None:
    first = await traced.saga(ordering(id="once"))
    await traced.client.post("/v1/sagas", json=ordering(id="once"), headers=CLIENT)
    await eventually(lambda: TRACE in traced.traces.ids)
    repeated = next(span for span in traced.traces.spans if span.trace_id == TRACE)
    start = first.one("start order")
    assert repeated.links == [(start.trace_id, start.span_id)]


async def test_a_retry_is_an_attempt_of_its_own_and_what_a_handler_traces_joins_it(
    mongo_url: str, redis_url: str
) -> None:
    settings, traces = settings_for(mongo_url, redis_url), Traces()
    tracer = keeping(traces)
    inventory, own = Participant("inventory"), tracer.provider.get_tracer("of the handler's author")
    failures = [ConnectionError("no warehouse"), None]

    @inventory.handles(RESERVE_STOCK)
    async def reserve(_command: ReserveStock, _tx: Transaction) -> StockReserved:
        with own.start_as_current_span("ask the warehouse"):
            if (failure := failures.pop(0)) is not None:
                raise failure
        return StockReserved(amount=1999)

    async with participating(settings, tracer, inventory), serving(settings, tracer) as client:
        trace = await Traced(client, traces).saga(ordering())
    assert len(trace.ids) == 1
    assert not trace.orphans
    assert not trace.twins
    first, second = trace.named("reserve-stock")
    assert [first.attributes["saga.attempt"], second.attributes["saga.attempt"]] == [1, 2]
    assert [first.attributes["saga.outcome"], second.attributes["saga.outcome"]] == ["failed", "succeeded"]
    assert [first.error, second.error] == ["failed", None]
    assert first.end_ns < second.begin_ns
    assert trace.one("timer").attributes["saga.sent"] == ("reserve-stock/action",)
    processing = trace.named("process inventory")
    assert [trace.children(span) for span in processing] == [["ask the warehouse"], ["ask the warehouse"]]
    assert [span.error for span in processing] == ["handler-error", None]


async def test_a_trace_can_be_drawn(traced: Traced) -> None:
    lines = drawn(await traced.saga(ordering("broke"))).splitlines()
    assert lines[0].startswith("POST /v1/sagas ")
    assert any(line.startswith("    undo reserve-stock") for line in lines)
