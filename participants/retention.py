"""Ledgers stay short, where a setting says so: old rows of a key become one row with their sum.

That row is of kind `opening`, has the `_id` `opening/KEY` and grows with each turn. It appears in the transaction in
which the rows that it stands for go (on request to `ledger_archive`), so each key's sum is its balance at every moment.
How old a row is, is known by its `_id`, which begins with the time: that index exists anyway, and a further one would
cost every order.
"""

from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta

from adapters.clock import Clock
from adapters.errors import Conflict
from adapters.mongo import (
    ASCENDING,
    Document,
    IndexModel,
    InsertOne,
    Mongo,
    Session,
    UpdateOne,
    ensure_indexes,
    find,
    made_before,
    translating,
)
from adapters.purging import keep_purging
from participants.ledger import LEDGER, OPENING, opening_row

ARCHIVE = "ledger_archive"
ARCHIVE_INDEXES = (IndexModel([("saga_id", ASCENDING)]), IndexModel([("key", ASCENDING), ("at", ASCENDING)]))
BATCH = 500


class LedgerRetention:
    """One participant's ledger, kept for `keep` (None: for ever). `folded` is told of each batch how many have gone."""

    def __init__(
        self,
        mongo: Mongo,
        database: str,
        clock: Clock,
        *,
        keep: timedelta | None,
        archive: bool = False,
        folded: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._mongo = mongo
        self._database = mongo.database(database)
        self._name = f"{database}.{LEDGER}"
        self._clock = clock
        self._keep = keep
        self._archive = archive
        self._folded = folded
        self._prepared = False

    async def run(self) -> None:
        """For ever; returns at once where rows are kept for ever."""
        if (keep := self._keep) is not None:
            await keep_purging(self._name, lambda: self.fold(self._clock.now() - keep), self._clock)

    async def fold(self, before: datetime) -> int:
        """Fold one batch of the rows written before then; how many. 0 also where another process is at the same ones.

        Raises `Unavailable`.
        """
        if self._archive and not self._prepared:
            await ensure_indexes(self._database[ARCHIVE], ARCHIVE_INDEXES)
            self._prepared = True

        async def body(session: Session) -> int:
            return await self._fold(before, session)

        try:
            count = await self._mongo.transaction(body)
        except Conflict:
            return 0
        self._folded(count)
        return count

    async def _fold(self, before: datetime, session: Session) -> int:
        ledger = self._database[LEDGER]
        old = {"_id": made_before(before)}
        rows = await find(ledger, old, limit=BATCH, sort=[("_id", ASCENDING)], session=session)
        if not rows:
            return 0
        with translating():
            if self._archive:
                await self._database[ARCHIVE].insert_many(rows, session=session)
            await ledger.delete_many({"_id": {"$in": [row["_id"] for row in rows]}}, session=session)
        await self._add_to_openings(_sums(rows), session)
        return len(rows)

    async def _add_to_openings(self, sums: dict[str, int], session: Session) -> None:
        """No upserts: on a sharded ledger an upsert must name the saga, and these rows belong to none."""
        ledger, now = self._database[LEDGER], self._clock.now()
        ids = [f"{OPENING}/{key}" for key in sums]
        found = await find(ledger, {"_id": {"$in": ids}}, limit=len(ids), projection=["_id"], session=session)
        known = {row["_id"].removeprefix(f"{OPENING}/") for row in found}
        writes = [
            UpdateOne({"_id": f"{OPENING}/{key}"}, {"$inc": {"amount": amount}, "$set": {"at": now}})
            if key in known
            else InsertOne({"_id": f"{OPENING}/{key}", **opening_row(key, amount, now)})
            for key, amount in sums.items()
        ]
        with translating():
            await ledger.bulk_write(writes, ordered=False, session=session)


def _sums(rows: list[Document]) -> dict[str, int]:
    sums: Counter[str] = Counter()
    for row in rows:
        sums[row["key"]] += row["amount"]
    return dict(sorted(sums.items()))
