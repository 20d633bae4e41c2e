"""The orders service: writes confirmed orders down. It comes after the pivot, so it never says no.

One document per saga in `orders`, `_id` the saga's id; the ledger counts +1 for each order id.
"""

from collections.abc import Sequence
from typing import Any

from adapters.mongo import Document, insert_last
from participants.context import BatchTransaction, Context
from participants.ledger import LEDGER_INDEXES, LEDGER_RIGHTS, Change, post
from participants.participant import Participant
from sagas.contracts import Reject
from sagas.order import CONFIRM_ORDER, ConfirmOrder, OrderConfirmed

ORDERS = "orders"

orders = Participant("orders", indexes=LEDGER_INDEXES, collections={ORDERS: ("insert",), **LEDGER_RIGHTS})


@orders.handles(CONFIRM_ORDER, batch=True)
async def confirm(commands: Sequence[ConfirmOrder], tx: BatchTransaction) -> Sequence[OrderConfirmed | Reject]:
    """Write each order down, under the client's id or else the saga's."""
    confirmed = list(zip(commands, tx.contexts, strict=True))
    documents = [_document(command, context) for command, context in confirmed]
    insert_last(tx.database, ORDERS, documents, tx.session)
    await post(tx, [Change(context, _order_id(command, context), 1) for command, context in confirmed])
    return [OrderConfirmed(order_id=_order_id(command, context)) for command, context in confirmed]


def _order_id(command: ConfirmOrder, context: Context) -> str:
    return command.order_id or context.saga_id


def _document(command: ConfirmOrder, context: Context) -> Document:
    return {
        "_id": context.saga_id,
        "order_id": _order_id(command, context),
        "customer_id": command.customer_id,
        "items": [item.model_dump() for item in command.items],
        "amount": command.amount,
        "at": context.now,
    }


def __getattr__(name: str) -> Any:
    """`faststream run participants.orders:app`: the application is made when somebody asks for it."""
    if name != "app":
        raise AttributeError(name)
    from participants.app import faststream_app  # noqa: PLC0415 - it imports this module

    return faststream_app(orders)
