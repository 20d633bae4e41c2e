"""Two sagas that the same event of a shop starts, and the events as the shop would publish them."""

import json
from typing import Any

from adapters.bus import Entry
from sagas import Command, Endpoint, Event, Reply, Saga, SagaData, SagaInput, step

STREAM = "orders-stream"


class OrderCreated(SagaInput):
    """What both are started with."""

    order_id: str
    customer_id: str
    note: str | None = None


class Known(SagaData):
    order_id: str
    customer_id: str
    note: str | None = None


class SendMail(Command):
    customer_id: str


class MailSent(Reply):
    pass


SEND_MAIL = Endpoint("mail", SendMail, MailSent)


def mailing(name: str, event: Event | None) -> Saga:
    """A saga of one step."""
    return Saga(name, version=1, input=OrderCreated, data=Known, steps=[step("send-mail", SEND_MAIL)], starts_on=event)


thanks = mailing("thanks", Event("ORDER_CREATED", stream=STREAM, key=lambda data: data["orderId"]))
survey = mailing(
    "survey",
    Event(
        "ORDER_DELIVERED",
        stream=STREAM,
        key=lambda data: data["order"]["id"],
        input=lambda data: {"order_id": data["order"]["id"], "customer_id": data["customer"]},
    ),
)


def order_created(number: object, *, stream: str = STREAM, customer: str = "alice", **fields: str) -> Entry:
    """One order; other `fields` of the entry as given."""
    data = {"orderId": f"o-{number}", "customerId": customer}
    return event("ORDER_CREATED", data, stream=stream, **fields)


def event(kind: str, data: Any, *, stream: str = STREAM, **fields: str) -> Entry:
    """One event."""
    written = {"type": kind, "data": json.dumps(data), "timestamp": "2026-01-01T00:00:00Z", **fields}
    return Entry(stream, {name: value for name, value in written.items() if value})
