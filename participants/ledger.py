"""Ledger and balances: an append-only row per effect and key, and the sum of the rows as a balance.

A participant's collection `ledger` has rows `{saga_id, step, kind, key, amount, at}`; a starting balance is a row of
kind `opening` without saga. For each key the sum of the amounts is the balance, always: both are written here, in
one transaction, and nowhere else. Rows are never changed or removed, but that a setting may have old ones folded into
one (retention.py).
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import TypeVar

from adapters.errors import Conflict
from adapters.mongo import ASCENDING, Document, IndexModel, find, insert_last, take, update
from participants.context import BatchTransaction, Context
from sagas.values import dataclass

T = TypeVar("T")

LEDGER = "ledger"
OPENING = "opening"
MAX_AMOUNT = 2**63 - 1  #: the largest integer that MongoDB and the contract hold

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


async def book(
    tx: BatchTransaction,
    balances: Balances,
    wanted: Mapping[str, int],
    decide: Callable[[Mapping[str, Document]], tuple[list[T], list[Change]]],
) -> list[T]:
    """Load the documents of what is wanted, decide on them, and post what has changed; the outcomes.

    `wanted` says how much of each key the commands would take in all. Where that is one key, it is taken before it is
    decided who gets it, which spares a command that comes alone one round trip of five.
    """
    taken = await _take(tx, balances, wanted) if len(wanted) == 1 else {}
    outcomes, changes = decide(taken or await load(tx, balances.collection, wanted))
    await post(tx, changes, balances, taken={key: wanted[key] for key in taken})
    return outcomes


async def load(tx: BatchTransaction, collection: str, keys: Iterable[str]) -> dict[str, Document]:
    """The documents that exist, by `_id`: one read for all of them."""
    wanted = sorted(set(keys))
    found = await find(tx.database[collection], {"_id": {"$in": wanted}}, limit=len(wanted), session=tx.session)
    return {document["_id"]: document for document in found}


async def post(
    tx: BatchTransaction,
    changes: Sequence[Change],
    balances: Balances | None = None,
    *,
    taken: Mapping[str, int] = MappingProxyType({}),
) -> None:
    """Write the rows, and with `balances` their sums, less what has been `taken`.

    The rows are written when the transaction ends, the sums at once: what is loaded later in it has to show them.
    A balance never falls below zero: the caller has decided on what it loaded *in this transaction*, and where one is
    another by now, MongoDB's write conflict starts the transaction over. So the updates ask for nothing but the `_id`:
    asking for the balance as well costs MongoDB more than twice as much.
    """
    if balances is not None:
        await _move(tx, _sums(changes, taken), balances)
    if changes:
        insert_last(tx.database, LEDGER, [change.row() for change in changes], tx.session)


def opening_row(key: str, amount: int, at: datetime) -> Document:
    """The row of a starting balance, or of a correction by hand."""
    return {"kind": OPENING, "key": key, "amount": amount, "at": at}


async def _take(tx: BatchTransaction, balances: Balances, wanted: Mapping[str, int]) -> dict[str, Document]:
    """The document of the one key that is wanted, as it was; none where there is less than that, and none is taken."""
    ((key, amount),) = wanted.items()
    if not 0 < amount <= MAX_AMOUNT:
        return {}
    field = balances.field
    enough, less = {"_id": key, field: {"$gte": amount}}, {"$inc": {field: -amount}}
    found = await take(tx.database, balances.collection, enough, less, tx.session)
    return {} if found is None else {key: found}


def _sums(changes: Sequence[Change], taken: Mapping[str, int]) -> dict[str, int]:
    sums = Counter(taken)
    for change in changes:
        sums[change.key] += change.amount
    return {key: amount for key, amount in sorted(sums.items()) if amount}


async def _move(tx: BatchTransaction, sums: Mapping[str, int], balances: Balances) -> None:
    updates = [{"q": {"_id": key}, "u": {"$inc": {balances.field: amount}}} for key, amount in sums.items()]
    if updates and await update(tx.database, balances.collection, updates, tx.session) < len(updates):
        raise Conflict(f"a balance in {balances.collection} has gone")
