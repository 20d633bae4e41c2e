"""A saga with values of many types: dates, decimals, free-form objects."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from sagas import Command, Endpoint, Reply, Retry, Saga, SagaData, SagaInput, pivot, step, undo


class Charge(Command):
    customer: str
    cents: int
    at: datetime | None = None


class Charged(Reply):
    payment_id: str
    fee: Decimal = Decimal(0)


class Refund(Command):
    customer: str


class Refunded(Reply):
    pass


class Ship(Command):
    payment_id: str


class Shipped(Reply):
    label: dict[str, Any]


class Place(SagaInput):
    customer: str
    cents: int
    at: datetime | None = None
    note: str = "none"


class Purchase(SagaData):
    customer: str
    cents: int
    at: datetime | None = None
    note: str
    payment_id: str | None = None
    fee: Decimal | None = None
    label: dict[str, Any] | None = None


CHARGE = Endpoint("payments", Charge, Charged)
REFUND = Endpoint("payments", Refund, Refunded)
SHIP = Endpoint("shipping", Ship, Shipped)

purchase = Saga(
    "purchase",
    version=3,
    input=Place,
    data=Purchase,
    timeout="15m",
    steps=[
        step("charge", CHARGE, undo=undo(REFUND, timeout="5s"), timeout="500ms", retry=Retry(attempts=7)),
        pivot(),
        step("ship", SHIP),
    ],
)
charge, ship = purchase.steps
STARTED = purchase.start({"customer": "alice", "cents": 1999, "at": "2026-01-02T03:04:05Z"})
