"""What the floor writes: documents and entries with the fields and the size of those of an order by `saga bench`.

How large they are is part of what they cost. Made with as little Python as will do, from no code of the service:
tests/unit/test_floor.py holds the two together.
"""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

Document = dict[str, Any]

STEPS = ("reserve-stock", "charge-payment", "confirm")
PARTICIPANTS = ("inventory", "payment", "orders")
TYPES = ("inventory.reserve-stock", "payment.charge-payment", "orders.confirm-order")
ATTEMPTS = (5, 5, None)  #: the last step is tried until it succeeds
TIME = "2026-01-01T00:00:00.000Z"
CUSTOMER, PRODUCT = "bench-01234567-c42", "bench-01234567-p42"
ITEMS = [{"product_id": PRODUCT, "quantity": 1}]
COMMANDS: Sequence[Document] = (
    {"items": ITEMS},
    {"customer_id": CUSTOMER, "amount": 1},
    {"order_id": None, "customer_id": CUSTOMER, "items": ITEMS, "amount": 1},
)


def saga_id(run: str, number: int) -> str:
    """As `saga bench` makes them."""
    return f"bench-{run}-m-{number}"


def saga(one: str, now: datetime) -> Document:
    """A saga that has begun."""
    data = {"order_id": None, "customer_id": CUSTOMER, "items": ITEMS, "amount": None}
    return {
        "_id": one,
        "saga": "order",
        "version": 1,
        "status": "running",
        "revision": 1,
        "data": data,
        "steps": [_running(one, 0, now), *(_step(name, "pending") for name in STEPS[1:])],
        "failure": None,
        "pending": [_pending(one, 0, now)],
        "created_at": now,
        "updated_at": now,
        "ended_at": None,
        "fingerprint": "0123456789abcdef",
        "request": "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        "history": [{"revision": 1, "at": now, "events": ["started"], "status": "running", "data": data}],
        "wake_at": now + timedelta(seconds=3),
    }


def advance(one: str, step: int, now: datetime) -> Document:
    """The update of a saga one of whose steps has succeeded."""
    last, data = step == 2, _answer(one, step)
    fields: Document = {"revision": step + 2, "updated_at": now}
    fields |= {f"data.{name}": value for name, value in data.items()}
    fields[f"steps.{step}"] = _running(one, step, now) | {"status": "succeeded", "ended_at": now}
    entry = {
        "revision": step + 2,
        "at": now,
        "events": ["step-succeeded", "completed"] if last else ["step-succeeded"],
        "status": "completed" if last else "running",
        "step": STEPS[step],
        "step_status": "succeeded",
        "kind": "action",
        "attempt": 1,
    }
    history = {"$each": [entry | {"data": data} if data else entry], "$slice": -200}
    if last:
        ended = {"status": "completed", "ended_at": now, "pending": []}
        return {"$set": fields | ended, "$unset": {"wake_at": ""}, "$push": {"history": history}}
    fields |= {f"steps.{step + 1}": _running(one, step + 1, now), "pending": [_pending(one, step + 1, now)]}
    return {"$set": fields, "$min": {"wake_at": now + timedelta(seconds=3)}, "$push": {"history": history}}


def ledger_row(one: str, step: int, now: datetime) -> Document:
    """The row of an effect."""
    key = (PRODUCT, CUSTOMER, one)[step]
    return {"saga_id": one, "step": STEPS[step], "kind": "action", "key": key, "amount": -1, "at": now}


def inbox_row(one: str, step: int, now: datetime) -> Document:
    """The row of a command that has been done."""
    return {
        "_id": _command_id(one, step),
        "saga_id": one,
        "step": STEPS[step],
        "kind": "action",
        "type": TYPES[step],
        "outcome": "succeeded",
        "command": COMMANDS[step],
        "reply": _answer(one, step),
        "at": now,
        "expire_at": now + timedelta(days=90),
    }


def command(one: str, step: int) -> tuple[str, ...]:
    """The fields of a command and their values, in turns."""
    return (
        *("specversion", "1.0", "id", _command_id(one, step), "type", TYPES[step], "source", "/orchestrator"),
        *("subject", one, "time", TIME, "data", _COMMAND_TEXTS[step], "attempt", "1", "firsttime", TIME),
        *("expirytime", TIME, "replyto", "floor00.replies.0"),
    )


def reply(one: str, step: int) -> tuple[str, ...]:
    """Those of its reply."""
    command_id = _command_id(one, step)
    data = f'{{"order_id":"{one}"}}' if step == 2 else ('{"amount":1}', "{}")[step]
    return (
        *("specversion", "1.0", "id", f"{command_id}/reply/1", "type", f"{TYPES[step]}.succeeded"),
        *("source", f"/participants/{PARTICIPANTS[step]}", "subject", one, "data", data),
        *("causationid", command_id, "outcome", "succeeded", "attempt", "1", "time", TIME),
    )


def event(one: str, done: int) -> tuple[str, ...]:
    """Those of what is told after so many steps."""
    return (
        *("specversion", "1.0", "id", f"{one}/{done + 1}/0"),
        *("type", "saga.order.step-succeeded" if done else "saga.order.started"),
        *("source", "/orchestrator", "subject", one, "time", TIME, "data", _EVENT_TEXTS[done]),
    )


def _answer(one: str, step: int) -> Document:
    return {"order_id": one} if step == 2 else ({"amount": 1}, {})[step]


def _text(data: Document) -> str:
    return json.dumps(data, separators=(",", ":"))


def _told(done: int) -> Document:
    of = {"step": STEPS[done - 1], "attempt": 1} if done else {"step": None, "attempt": None}
    status = "completed" if done == 3 else "running"
    return {"saga": "order", "version": 1, "revision": done + 1, "status": status, **of, "code": None}


_COMMAND_TEXTS = [_text(data) for data in COMMANDS]
_EVENT_TEXTS = [_text(_told(done)) for done in range(4)]


def _command_id(one: str, step: int) -> str:
    return f"{one}/{STEPS[step]}/action"


def _step(name: str, status: str) -> Document:
    unknown = {"action_id": None, "started_at": None, "ended_at": None, "error": None}
    return {"name": name, "status": status, "attempts": 0, **unknown}


def _running(one: str, step: int, now: datetime) -> Document:
    begun = {"attempts": 1, "action_id": _command_id(one, step), "started_at": now}
    return _step(STEPS[step], "running") | begun


def _pending(one: str, step: int, now: datetime) -> Document:
    return {
        "command_id": _command_id(one, step),
        "participant": PARTICIPANTS[step],
        "step": STEPS[step],
        "kind": "action",
        "attempt": 1,
        "budget": ATTEMPTS[step],
        "first_at": now,
        "sent_at": now,
        "deadline": now + timedelta(seconds=30),
        "held": False,
        "rejected": False,
        "undoes": None,
        "undoes_at": None,
    }
