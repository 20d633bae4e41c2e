"""Ledger and balances: an append-only row per effect and key, and the sum of the rows as a balance.

A participant's collection `ledger` has rows `{saga_id, step, kind, key, amount, at}`; a starting balance is a row of
kind `opening` without saga. For each key the sum of the amounts is the balance, always: both are written here, in
one transaction, and nowhere else. Rows are never changed or removed, but that a setting may have old ones folded into
one (retention.py).
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from adapters.errors import Conflict
from adapters.mongo import ASCENDING, Document, IndexModel, find, insert, update
from participants.context import BatchTransaction, Context
from sagas.values import dataclass

LEDGER = "ledger"
OPENING = "opening"

#: A belt beside the inbox's braces: the same effect can't be written twice. Opening rows belong to no saga.
LEDGER_INDEXES: Mapping[str, Sequence[IndexModel]] = {
    LEDGER: [
        IndexModel(
            [("saga_id", ASCENDING), ("step", ASCENDING), ("kind", ASCENDING), ("key", ASCENDING)],
            unique=True,
            partialFilterExpression={"saga_id": {"$exists": True}},
        )
    ]
}


#: A ledger is only added to; what retention needs comes with its setting (rights.py).
LEDGER_RIGHTS: Mapping[str, Sequence[str]] = {LEDGER: ("insert",)}


@dataclass(frozen=True, slots=True)
class Balances:
    """Where a participant keeps its balances."""

    collection: str
    field: str


@dataclass(frozen=True, slots=True)
class Change:
    """One effect of one command on one key."""

    context: Context
    key: str
    amount: int  #: signed: stock -2, later +2

    def row(self) -> Document:
        """The ledger's row."""
        return {
            "saga_id": self.context.saga_id,
            "step": self.context.step,
            "kind": self.context.kind.value,
            "key": self.key,
            "amount": self.amount,
            "at": self.context.now,
        }


async def load(tx: BatchTransaction, collection: str, keys: Iterable[str]) -> dict[str, Document]:
    """The documents that exist, by `_id`: one read for all of them."""
    wanted = sorted(set(keys))
    found = await find(tx.database[collection], {"_id": {"$in": wanted}}, limit=len(wanted), session=tx.session)
    return {document["_id"]: document for document in found}


async def post(tx: BatchTransaction, changes: Sequence[Change], balances: Balances | None = None) -> None:
    """Write the rows, and with `balances` their sums: two round trips, however many changes.

    A balance never falls below zero: the caller has decided on what it loaded *in this transaction*, and where one is
    another by now, MongoDB's write conflict starts the transaction over. So the updates ask for nothing but the `_id`:
    asking for the balance as well costs MongoDB more than twice as much.
    """
    if not changes:
        return
    if balances is not None:
        await _move(tx, _sums(changes), balances)
    await insert(tx.database, LEDGER, [change.row() for change in changes], tx.session)


def opening_row(key: str, amount: int, at: datetime) -> Document:
    """The row of a starting balance, or of a correction by hand."""
    return {"kind": OPENING, "key": key, "amount": amount, "at": at}


def _sums(changes: Sequence[Change]) -> dict[str, int]:
    sums: Counter[str] = Counter()
    for change in changes:
        sums[change.key] += change.amount
    return {key: amount for key, amount in sorted(sums.items()) if amount}


async def _move(tx: BatchTransaction, sums: Mapping[str, int], balances: Balances) -> None:
    updates = [{"q": {"_id": key}, "u": {"$inc": {balances.field: amount}}} for key, amount in sums.items()]
    if updates and await update(tx.database, balances.collection, updates, tx.session) < len(updates):
        raise Conflict(f"a balance in {balances.collection} has gone")
