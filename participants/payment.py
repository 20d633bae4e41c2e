"""The payment service: charges customers' accounts, and refunds them when an order is undone.

Accounts are `{_id, balance}` in minor units; each change is a row of the ledger. No balance falls below zero.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from adapters.mongo import Document
from participants.context import BatchTransaction, Context
from participants.ledger import LEDGER_INDEXES, LEDGER_RIGHTS, Balances, Change, book, post
from participants.participant import Participant
from sagas.contracts import Reject
from sagas.order import CHARGE_PAYMENT, REFUND_PAYMENT, ChargePayment, PaymentCharged, PaymentRefunded, RefundPayment

ACCOUNTS = Balances("accounts", "balance")

payment = Participant(
    "payment", indexes=LEDGER_INDEXES, collections={ACCOUNTS.collection: ("find", "update"), **LEDGER_RIGHTS}
)


@payment.handles(CHARGE_PAYMENT, batch=True)
async def charge(commands: Sequence[ChargePayment], tx: BatchTransaction) -> Sequence[PaymentCharged | Reject]:
    """Take each amount from its customer's account."""
    wanted: Counter[str] = Counter()
    for command in commands:
        wanted[command.customer_id] += command.amount
    return await book(tx, ACCOUNTS, wanted, lambda accounts: charge_from(accounts, commands, tx.contexts))


@payment.handles(REFUND_PAYMENT, batch=True)
async def refund(commands: Sequence[RefundPayment], tx: BatchTransaction) -> Sequence[PaymentRefunded | Reject]:
    """Give back exactly what the charges took."""
    taken = [(context, context.action.of(CHARGE_PAYMENT).command) for context in tx.contexts]
    await post(tx, [Change(context, charged.customer_id, charged.amount) for context, charged in taken], ACCOUNTS)
    return [PaymentRefunded() for _ in commands]


def charge_from(
    accounts: Mapping[str, Document], commands: Sequence[ChargePayment], contexts: Sequence[Context]
) -> tuple[list[PaymentCharged | Reject], list[Change]]:
    """Who can pay, in the order of the commands, and the changes of those who can. Pure."""
    balances = {key: account["balance"] for key, account in accounts.items()}
    outcomes: list[PaymentCharged | Reject] = []
    changes: list[Change] = []
    for command, context in zip(commands, contexts, strict=True):
        customer = command.customer_id
        if customer not in balances:
            outcomes.append(Reject("unknown-customer", customer))
        elif balances[customer] < command.amount:
            # The balance itself is nobody's business: the detail ends in the order's history.
            outcomes.append(Reject("insufficient-funds", f"{customer} can't pay {command.amount}"))
        else:
            balances[customer] -= command.amount
            changes.append(Change(context, customer, -command.amount))
            outcomes.append(PaymentCharged())
    return outcomes, changes


def __getattr__(name: str) -> Any:
    """`faststream run participants.payment:app`: the application is made when somebody asks for it."""
    if name != "app":
        raise AttributeError(name)
    from participants.app import faststream_app  # noqa: PLC0415 - it imports this module

    return faststream_app(payment)
