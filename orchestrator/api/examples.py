"""One example of everything that the OpenAPI document describes: an order, and what may be asked and said of it."""

from typing import Any

Json = dict[str, Any]

SAGA_ID = "0198c1a2-8d5e-7f00-8000-000000000000"
LETTER_ID = "5f2b3c1d9e8a4b7c6d5e4f3a2b1c0d9e"

_ORDER: Json = {"order_id": None, "customer_id": "broke", "items": [{"product_id": "boots", "quantity": 1}]}
_DECLINED = {"code": "insufficient-funds", "detail": "broke can't pay 1999"}


def _step(name: str, status: str, attempts: int, ended_at: str | None, error: Json | None) -> Json:
    started_at = "2026-01-31T12:00:00.000Z" if attempts else None
    return {
        "name": name,
        "status": status,
        "attempts": attempts,
        "started_at": started_at,
        "ended_at": ended_at,
        "error": error,
    }


SAGA: Json = {
    "id": SAGA_ID,
    "saga": "order",
    "version": 1,
    "status": "compensated",
    "revision": 4,
    "data": _ORDER | {"amount": 1999},
    "steps": [
        _step("reserve-stock", "compensated", 1, "2026-01-31T12:00:00.041Z", None),
        _step("charge-payment", "rejected", 1, "2026-01-31T12:00:00.025Z", _DECLINED),
        _step("confirm", "pending", 0, None, None),
    ],
    "failure": {"step": "charge-payment", **_DECLINED},
    "waiting_for": None,
    "created_at": "2026-01-31T12:00:00.000Z",
    "updated_at": "2026-01-31T12:00:00.041Z",
    "ended_at": "2026-01-31T12:00:00.041Z",
}
_TRANSITION: Json = {
    "revision": 2,
    "at": "2026-01-31T12:00:00.012Z",
    "events": ["step-succeeded"],
    "status": "running",
    "step": "reserve-stock",
    "step_status": "succeeded",
    "kind": "action",
    "attempt": 1,
    "code": None,
    "detail": None,
    "data": {"amount": 1999},
    "count": 1,
}
_LETTER: Json = {
    "id": LETTER_ID,
    "stream": "saga.commands.inventory",
    "entry_id": "1767225600250-0",
    "at": "2026-01-31T12:00:00.000Z",
    "reason": "field 'data' is missing",
    "saga_id": SAGA_ID,
    "type": "inventory.reserve-stock",
    "truncated": False,
    "redrives": 0,
    "redriven_at": None,
    "redriven_by": None,
}
_FIELDS = {"id": f"{SAGA_ID}/reserve-stock/action", "type": "inventory.reserve-stock", "attempt": "1"}
_PROBLEM: Json = {
    "type": "/problems/invalid-request",
    "title": "The request is not valid",
    "status": 422,
    "detail": "There is 1 fault in the body; see `errors`.",
    "errors": [{"pointer": "/data/items", "detail": "Field required"}],
}

#: of components, by their names
ANSWERS: Json = {
    "Saga": SAGA,
    "Page": {"items": [SAGA], "next": None},
    "Results": {"results": [SAGA, _PROBLEM]},
    "Problem": _PROBLEM,
    "History": {"items": [_TRANSITION], "truncated_before": None},
    "DeadLetter": _LETTER,
    "WholeDeadLetter": _LETTER | {"fields": _FIELDS},
    "DeadLetterPage": {"items": [_LETTER], "next": None},
    "Alive": {"status": "alive"},
    "Ready": {"status": "ready"},
    "WithReason": {"reason": "the customer called"},
    "SkipRequest": {"reason": "refunded by hand, case 4711", "data": {}},
}

#: of parameters in paths: what they are, and one
PARAMETERS: Json = {
    "saga_id": ("The saga's id.", SAGA_ID),
    "letter_id": ("The dead letter's id.", LETTER_ID),
}
