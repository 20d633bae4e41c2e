"""The order saga and its contracts: reserve stock, charge the customer, confirm the order.

Money is an int in minor units (cents). The amount comes from inventory's reply, so a client can't set the price.
"""

from typing import Annotated

from pydantic import ConfigDict, Field, StringConstraints

from sagas.contracts import Command, Endpoint, Reply, SagaData, SagaInput, Value
from sagas.definition import Retry, Saga, pivot, step, undo

MAX_ITEMS = 100
MAX_QUANTITY = 10_000

Id = Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=r"^[^\x00-\x1f\x7f]*$")]
MinorUnits = Annotated[int, Field(ge=0, le=2**63 - 1)]


class OrderItem(Value):
    """One product of an order, and how many of it."""

    product_id: str
    quantity: int


class ReserveStock(Command):
    """Take the items out of the stock."""

    items: list[OrderItem]


class StockReserved(Reply):
    """The items are set aside; they cost this much in all."""

    amount: MinorUnits


class ReleaseStock(Command):
    """Put back what the order's `ReserveStock` took."""


class StockReleased(Reply):
    """The items are in stock again."""


class ChargePayment(Command):
    """Take the amount from the customer's account."""

    customer_id: str
    amount: MinorUnits


class PaymentCharged(Reply):
    """The customer has paid."""


class RefundPayment(Command):
    """Give back what the order's `ChargePayment` took."""


class PaymentRefunded(Reply):
    """The customer has the money back."""


class ConfirmOrder(Command):
    """Write the order down for good; without an id of the client's own it gets one."""

    order_id: str | None = None
    customer_id: str
    items: list[OrderItem]
    amount: MinorUnits


class OrderConfirmed(Reply):
    """The order stands, under this id."""

    order_id: str


RESERVE_STOCK = Endpoint("inventory", ReserveStock, StockReserved)
RELEASE_STOCK = Endpoint("inventory", ReleaseStock, StockReleased)
CHARGE_PAYMENT = Endpoint("payment", ChargePayment, PaymentCharged)
REFUND_PAYMENT = Endpoint("payment", RefundPayment, PaymentRefunded)
CONFIRM_ORDER = Endpoint("orders", ConfirmOrder, OrderConfirmed)


class PlacedItem(SagaInput):
    """One product that a client orders."""

    product_id: Id
    quantity: Annotated[int, Field(ge=1, le=MAX_QUANTITY)]


class PlaceOrder(SagaInput):
    """What a client sends."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"customer_id": "alice", "items": [{"product_id": "boots", "quantity": 1}]}]}
    )

    order_id: Id | None = None
    customer_id: Id
    items: Annotated[list[PlacedItem], Field(min_length=1, max_length=MAX_ITEMS)]


class Order(SagaData):
    """What the saga knows of the order."""

    order_id: str | None = None
    customer_id: str
    items: list[OrderItem]
    amount: MinorUnits | None = None  #: filled by reserve-stock


order = Saga(
    "order",
    version=1,
    input=PlaceOrder,
    data=Order,
    steps=[
        step("reserve-stock", RESERVE_STOCK, undo=undo(RELEASE_STOCK)),
        step("charge-payment", CHARGE_PAYMENT, undo=undo(REFUND_PAYMENT), timeout="10s", retry=Retry(attempts=5)),
        pivot(),  # the point of no return
        step("confirm", CONFIRM_ORDER),  # after it: retried until it succeeds
    ],
)
