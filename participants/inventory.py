"""The inventory service: reserves stock for orders, and releases it when an order is undone.

Products are `{_id, available, price}`; each change is a row of the ledger. Never sells what is not there.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from adapters.mongo import Document
from participants.context import BatchTransaction, Context
from participants.ledger import LEDGER_INDEXES, LEDGER_RIGHTS, MAX_AMOUNT, Balances, Change, book, post
from participants.participant import Participant
from sagas.contracts import Reject
from sagas.order import (
    RELEASE_STOCK,
    RESERVE_STOCK,
    OrderItem,
    ReleaseStock,
    ReserveStock,
    StockReleased,
    StockReserved,
)

PRODUCTS = Balances("products", "available")

inventory = Participant(
    "inventory", indexes=LEDGER_INDEXES, collections={PRODUCTS.collection: ("find", "update"), **LEDGER_RIGHTS}
)


@inventory.handles(RESERVE_STOCK, batch=True)
async def reserve(commands: Sequence[ReserveStock], tx: BatchTransaction) -> Sequence[StockReserved | Reject]:
    """Set the items aside, all of an order or none."""
    wanted = quantities([item for command in commands for item in command.items])
    return await book(tx, PRODUCTS, wanted, lambda products: reserve_from(products, commands, tx.contexts))


@inventory.handles(RELEASE_STOCK, batch=True)
async def release(commands: Sequence[ReleaseStock], tx: BatchTransaction) -> Sequence[StockReleased | Reject]:
    """Put back exactly what the reservations took."""
    taken = [(context, quantities(context.action.of(RESERVE_STOCK).command.items)) for context in tx.contexts]
    changes = [Change(context, key, amount) for context, order in taken for key, amount in order.items()]
    await post(tx, changes, PRODUCTS)
    return [StockReleased() for _ in commands]


def reserve_from(
    products: Mapping[str, Document], commands: Sequence[ReserveStock], contexts: Sequence[Context]
) -> tuple[list[StockReserved | Reject], list[Change]]:
    """What each order gets, in the order of the commands, and the changes of those that get something. Pure."""
    available = {key: product["available"] for key, product in products.items()}
    prices = {key: product["price"] for key, product in products.items()}
    outcomes: list[StockReserved | Reject] = []
    changes: list[Change] = []
    for command, context in zip(commands, contexts, strict=True):
        order = quantities(command.items)
        outcome = _outcome(order, available, prices)
        outcomes.append(outcome)
        if isinstance(outcome, StockReserved):
            for key, quantity in order.items():
                available[key] -= quantity
                changes.append(Change(context, key, -quantity))
    return outcomes, changes


def quantities(items: Sequence[OrderItem]) -> dict[str, int]:
    """How many of each product; a product named twice counts once, with the sum."""
    sums: dict[str, int] = {}
    for item in items:
        sums[item.product_id] = sums.get(item.product_id, 0) + item.quantity
    return sums


def _outcome(
    order: Mapping[str, int], available: Mapping[str, int], prices: Mapping[str, int]
) -> StockReserved | Reject:
    amount = 0
    for key, quantity in order.items():
        if quantity < 1:
            return Reject("invalid-quantity", f"{quantity} of {key}")
        if key not in available:
            return Reject("unknown-product", key)
        if available[key] < quantity:
            return Reject("out-of-stock", f"{key}: {available[key]} left, {quantity} wanted")
        amount += prices[key] * quantity
    return StockReserved(amount=amount) if amount <= MAX_AMOUNT else Reject("amount-too-large")


def __getattr__(name: str) -> Any:
    """`faststream run participants.inventory:app`: the application is made when somebody asks for it."""
    if name != "app":
        raise AttributeError(name)
    from participants.app import faststream_app  # noqa: PLC0415 - it imports this module

    return faststream_app(inventory)
