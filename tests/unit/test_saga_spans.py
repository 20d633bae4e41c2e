"""What is told of sagas that meet trouble, on in-memory twins: silence, re-sending, two replicas, a stuck saga."""

from datetime import datetime

import pytest

from adapters.tracing.context import parse
from orchestrator.announcer import Announcer
from orchestrator.core.state import CancelRequested, RetryRequested
from orchestrator.engine import Engine
from orchestrator.observer import Observer
from orchestrator.sweeper import Sweeper
from orchestrator.tracing import SagaSpans
from orchestrator.work import Input, Start
from sagas import Definitions
from sagas.order import order
from support.engines import INVENTORY, PAYMENT, STREAMS, World, start
from support.orders import ONE_PAIR, failure, rejection, success
from support.traces import Traces, keeping


class Traced(World):
    """A world whose engines tell one trace."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.traces = Traces()
        self.engine = self.replica()
        self.sweeper = Sweeper(self.engine, self.bus, STREAMS)

    def replica(self) -> Engine:
        tracer = keeping(self.traces, now_ns=lambda: _ns(self.clock.now()))
        announcer = Announcer(self.bus, STREAMS, self.clock, tracer)
        observer: Observer = SagaSpans(tracer, STREAMS.replies)
        return Engine(Definitions([order]), self.store, announcer, self.clock, observer=observer, tracer=tracer)

    async def silent_s(self, seconds: float, stream: str = INVENTORY, group: str = "inventory") -> None:
        """The participant has read everything, and says nothing for that long."""
        self.deliver_all(stream, group)
        self.clock.advance(seconds)
        await self.sweeper.sweep()


def _ns(moment: datetime) -> int:
    return round(moment.timestamp() * 1_000) * 1_000_000


@pytest.fixture
def world() -> Traced:
    return Traced()


async def test_a_saga_without_a_clients_trace_begins_one_of_its_own(world: Traced) -> None:
    await world.start("a")
    start = world.traces.one("start order")
    assert start.parent_id == ""
    stored = parse(world.state("a").traceparent)
    assert stored is not None
    assert (f"{stored.trace_id:032x}", f"{stored.span_id:016x}") == (start.trace_id, start.span_id)


async def test_a_command_carries_the_context_of_its_own_sending(world: Traced) -> None:
    await world.start("a")
    (command,) = world.bus.server.entries(INVENTORY)
    sent = parse(command["traceparent"])
    sending = world.traces.one("send inventory")
    assert sent is not None
    assert (f"{sent.trace_id:032x}", f"{sent.span_id:016x}", sent.sampled) == (sending.trace_id, sending.span_id, True)


async def test_what_is_sent_again_is_a_sending_of_the_same_attempt(world: Traced) -> None:
    await world.start("a")
    await world.silent_s(4)
    first, second = world.traces.named("send inventory")
    assert first.parent_id == second.parent_id
    assert first.span_id != second.span_id
    assert world.traces.one("timer").attributes["saga.sent"] == ("reserve-stock/action",)
    await world.engine.apply([Input("a", success(world.state("a")))])
    attempt = world.traces.one("reserve-stock")
    assert attempt.span_id == first.parent_id
    assert attempt.end_ns - attempt.begin_ns == 4_000_000_000


async def test_a_timeout_ends_an_attempt_and_the_next_one_begins(world: Traced) -> None:
    await world.start("a")
    await world.silent_s(31)
    first = world.traces.one("reserve-stock")
    assert (first.attributes["saga.outcome"], first.error) == ("timeout", "timeout")
    await world.engine.apply([Input("a", success(world.state("a")))])
    _, second = world.traces.named("reserve-stock")
    assert second.attributes["saga.attempt"] == 2
    assert [span.name for span in world.traces.orphans] == ["send payment"]  # What it belongs to is under way.


async def test_two_replicas_tell_a_reply_that_both_get_once(world: Traced) -> None:
    await world.start("a")
    reply, other = success(world.state("a")), world.replica()
    await world.engine.apply([Input("a", reply)])
    world.clock.advance(0.001)
    await other.apply([Input("a", reply, redelivered=True)])
    assert len(world.traces.named("reserve-stock")) == 1
    applied, repeated = world.traces.named("process replies")
    assert applied.attributes["saga.events"] == ("step-succeeded",)
    assert repeated.attributes["saga.sent"] == ("charge-payment/action",)  # In case the first had not come to that.
    assert not world.traces.twins


async def test_a_replica_that_has_never_seen_the_start_tells_the_rest_of_the_same_trace(world: Traced) -> None:
    await world.start("a")
    other = world.replica()
    for _ in range(3):
        await other.apply([Input("a", success(world.state("a")))])
    assert len(world.traces.ids) == 1
    assert not world.traces.orphans
    assert world.traces.one("saga order").parent_id == world.traces.one("start order").span_id


async def test_a_stuck_saga_ends_its_attempt_and_a_late_answer_is_a_span_of_its_own(world: Traced) -> None:
    await world.start("a")
    await world.engine.apply([Input("a", success(world.state("a")))])
    await world.engine.apply([Input("a", rejection(world.state("a")))])
    while world.state("a").status == "compensating":
        await world.engine.apply([Input("a", failure(world.state("a")))])
        world.clock.advance(120)
        await world.sweeper.sweep()
    stuck = [span for span in world.traces.spans if span.error == "stuck"]
    assert [span.name for span in stuck] == ["process replies"]
    assert stuck[0].attributes["saga.events"] == ("step-failed", "stuck")
    assert len(world.traces.named("undo reserve-stock")) == 20
    await world.engine.apply([Input("a", success(world.state("a")))])
    late = world.traces.named("undo reserve-stock")[-1]
    assert (late.attributes["saga.late"], late.attributes["saga.outcome"]) == (True, "succeeded")
    assert world.traces.one("saga order").attributes["saga.status"] == "compensated"
    assert not world.traces.twins
    assert not world.traces.orphans


async def test_what_a_person_asks_for_belongs_to_the_sagas_trace_also_where_it_is_refused(world: Traced) -> None:
    await world.start("a")
    await world.engine.request("a", RetryRequested("why not"))
    await world.engine.request("a", CancelRequested("alice's wish"))
    refused, cancel = world.traces.one("retry"), world.traces.one("cancel")
    assert refused.attributes["saga.refused"] == "not-stuck"
    assert cancel.attributes["saga.events"] == ("step-unknown", "cancelled")
    assert world.traces.one("reserve-stock").attributes["saga.outcome"] == "unknown"
    assert "alice" not in str(world.traces.spans)  # People write anything into a reason.


async def test_what_redis_refuses_is_told_as_a_failed_sending(world: Traced) -> None:
    await world.start("a")
    world.bus.server.refused.add(PAYMENT)
    reply = success(world.state("a"))
    with pytest.raises(Exception, match="not on its stream"):
        await world.engine.apply([Input("a", reply)])
    assert world.traces.one("send payment").error == "unavailable"


async def test_sagas_that_are_not_sampled_cost_no_span(world: Traced) -> None:
    unsampled = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"
    await start(world.engine, Start(order, "a", order.start(ONE_PAIR), "r", unsampled))
    await world.engine.apply([Input("a", success(world.state("a")))])
    assert not world.traces.spans
    assert world.bus.server.entries(PAYMENT)[0]["traceparent"].endswith("-00")
