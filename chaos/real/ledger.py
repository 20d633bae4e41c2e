"""What a stand-in does on MongoDB: a row of its ledger for each command, and the balances, in one transaction.

Outside of any transaction the row alone, under the idempotency key: so a service of somebody else's would do it.
"""

from collections import Counter
from collections.abc import Sequence

from adapters.mongo import Document, UpdateOne, translating
from chaos.standins import Circumstances, ledger_row
from participants.context import Context, ExternalContext
from participants.ledger import LEDGER

BALANCES = "balances"  #: documents `{_id: step, balance}`, which begin at zero
OUTSIDE = "outside"  #: true in a row whose effect is outside the database, where no balance of ours knows of it


async def in_mongodb(tx: Circumstances, contexts: Sequence[Context]) -> Sequence[str | None]:
    """Implements `chaos.standins.Effect`; balances may fall below zero, and nothing is refused."""
    if not contexts:
        return []
    if isinstance(tx, ExternalContext):
        once = {"$setOnInsert": {**_row(tx), OUTSIDE: True}}
        await tx.database[LEDGER].update_one({"_id": tx.idempotency_key}, once, upsert=True)
        return [None]
    rows = [_row(context) for context in contexts]
    sums: Counter[str] = Counter()
    for row in rows:
        sums[row["key"]] += row["amount"]
    moves = [UpdateOne({"_id": key}, {"$inc": {"balance": sums[key]}}, upsert=True) for key in sorted(sums)]
    with translating():
        await tx.database[BALANCES].bulk_write(moves, session=tx.session)
        await tx.database[LEDGER].insert_many(rows, session=tx.session)
    return [None] * len(contexts)


def _row(context: Context) -> Document:
    return {**ledger_row(context), "at": context.now}
