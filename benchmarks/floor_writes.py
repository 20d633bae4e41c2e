"""What the floor writes: documents and entries with the fields, and about as many bytes, as those of an order's saga.

How large they are is part of what they cost. A message without the fields of docs/wire-protocol.md would be none, and
a saga without its steps and its history couldn't be watched. Made with as little Python as will do, from no code of
the service: tests/unit/test_floor.py holds the two together.
"""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

Document = dict[str, Any]

STEPS = ("reserve-stock", "charge-payment", "confirm")
PARTICIPANTS = ("inventory", "payment", "orders")
TYPES = ("inventory.reserve-stock", "payment.charge-payment", "orders.confirm-order")
TIME = "2026-01-01T00:00:00.000Z"
INPUT: Document = {"customer_id": "alice", "items": [{"product_id": "boots", "quantity": 1}]}
COMMANDS: Sequence[Document] = (
    {"items": INPUT["items"]},
    {"customer_id": "alice", "amount": 1999},
    {"order_id": None, **INPUT, "amount": 1999},
)
REPLIES: Sequence[Document] = ({"amount": 1999}, {}, {"order_id": "o-1"})
EVENT: Document = {"saga": "order", "version": 1, "revision": 2, "status": "running", "step": "reserve-stock"}


def _text(data: Document) -> str:
    return json.dumps(data, separators=(",", ":"))


COMMANDS_JSON, REPLIES_JSON = [*map(_text, COMMANDS)], [*map(_text, REPLIES)]
EVENT_JSON = _text(EVENT | {"attempt": 1, "code": None})


def saga(one: str, now: datetime) -> Document:
    """A saga that has begun."""
    data = {"order_id": None, **INPUT, "amount": None}
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
        "fingerprint": "8b116af13c80d018",
        "request": "f8ccb066b09bc0fc06cdd5e5bba9239d88f050c556683e6bfa546f67c05964da",
        "history": [{"revision": 1, "at": now, "events": ["started"], "status": "running", "data": data}],
        "wake_at": now + timedelta(seconds=3),
    }


def advance(one: str, step: int, now: datetime) -> Document:
    """The update of a saga one of whose steps has succeeded."""
    status = "completed" if step == 2 else "running"
    entry: Document = {"revision": step + 2, "at": now, "events": ["step-succeeded"], "status": status}
    entry |= {"step": STEPS[step], "step_status": "succeeded", "kind": "action", "attempt": 1}
    fields: Document = {"revision": step + 2, "updated_at": now}
    fields[f"steps.{step}"] = _running(one, step, now) | {"status": "succeeded", "ended_at": now}
    if REPLIES[step]:
        entry["data"] = REPLIES[step]
        fields |= {f"data.{name}": value for name, value in REPLIES[step].items()}
    update: Document = {"$set": fields, "$push": {"history": entry}}
    if step == 2:
        entry["events"] = ["step-succeeded", "completed"]
        fields |= {"status": "completed", "ended_at": now, "pending": []}
        return update | {"$unset": {"wake_at": ""}}
    fields |= {f"steps.{step + 1}": _running(one, step + 1, now), "pending": [_pending(one, step + 1, now)]}
    return update | {"$min": {"wake_at": now + timedelta(seconds=3)}}


def ledger_row(one: str, step: int, now: datetime) -> Document:
    """The row of an effect."""
    return {"saga_id": one, "step": STEPS[step], "kind": "action", "key": "boots", "amount": -1, "at": now}


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
        "reply": REPLIES[step],
        "at": now,
        "expire_at": now + timedelta(days=90),
    }


def command(one: str, step: int) -> tuple[str, ...]:
    """The fields of a command and their values, in turns."""
    return (
        *("specversion", "1.0", "id", _command_id(one, step), "type", TYPES[step], "source", "/orchestrator"),
        *("subject", one, "time", TIME, "data", COMMANDS_JSON[step], "attempt", "1", "firsttime", TIME),
        *("expirytime", TIME, "replyto", "floor.replies"),
    )


def reply(one: str, step: int) -> tuple[str, ...]:
    """Those of its reply."""
    command_id = _command_id(one, step)
    return (
        *("specversion", "1.0", "id", f"{command_id}/reply/1", "type", f"{TYPES[step]}.succeeded"),
        *("source", f"/participants/{PARTICIPANTS[step]}", "subject", one, "data", REPLIES_JSON[step]),
        *("causationid", command_id, "outcome", "succeeded", "attempt", "1", "time", TIME),
    )


def event(one: str, revision: int) -> tuple[str, ...]:
    """Those of an event."""
    return (
        *("specversion", "1.0", "id", f"{one}/{revision}/0", "type", "saga.order.step-succeeded"),
        *("source", "/orchestrator", "subject", one, "time", TIME, "data", EVENT_JSON),
    )


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
        "budget": 5,
        "first_at": now,
        "sent_at": now,
        "deadline": now + timedelta(seconds=30),
        "held": False,
        "rejected": False,
        "undoes": None,
        "undoes_at": None,
    }
