"""Order sagas for tests of the engine and the store: started, and answered step by step."""

from datetime import datetime
from typing import Any

from orchestrator.core.decide import begin, decide
from orchestrator.core.state import Decision, Replied, SagaState
from sagas.messages import Outcome, ReplyMessage
from sagas.order import order

ONE_PAIR = {"customer_id": "alice", "items": [{"product_id": "boots", "quantity": 1}]}
ANSWERS: dict[str, dict[str, Any]] = {
    "reserve-stock": {"amount": 1999},
    "charge-payment": {},
    "confirm": {"order_id": "o-1"},
}


def started(saga_id: str, now: datetime) -> Decision:
    """The first decision of an order saga."""
    return begin(order, saga_id, order.start(ONE_PAIR), now, request="r", traceparent=None)


def success(state: SagaState, data: dict[str, Any] | None = None) -> Replied:
    """The pending command's success, as its participant would answer."""
    pending = state.pending[0]
    reply = ANSWERS[pending.step] if data is None and pending.kind == "action" else data or {}
    return Replied(ReplyMessage(pending.command_id, Outcome.SUCCEEDED, reply, pending.attempt))


def rejection(state: SagaState, code: str = "no") -> Replied:
    """The pending command's rejection."""
    pending = state.pending[0]
    return Replied(ReplyMessage(pending.command_id, Outcome.REJECTED, {"code": code}, pending.attempt))


def failure(state: SagaState) -> Replied:
    """The pending command's technical failure."""
    pending = state.pending[0]
    return Replied(ReplyMessage(pending.command_id, Outcome.FAILED, {"code": "broken"}, pending.attempt))


def succeeded(state: SagaState, now: datetime) -> Decision:
    """The decision after the pending command's success."""
    return decide(order, state, success(state), now)
