"""The inbox: what a participant has already done, in its own MongoDB database, and one transaction around it.

The row and the effect it stands for are written in the same transaction, or neither is. New rows are inserted, never
upserted: the duplicate `_id` is what makes two that run at once meet. Nothing here decides (barrier.py does).
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from random import Random
from typing import Any, Protocol, TypeVar

from adapters.clock import Clock
from adapters.errors import Aborted, Conflict, Locked, Taken, Unavailable
from adapters.mongo import (
    ASCENDING,
    Document,
    IndexModel,
    Mongo,
    Session,
    ensure_indexes,
    find,
    insert_last,
    update_last,
)
from participants.barrier import Row
from sagas.messages import Kind, Outcome

T = TypeVar("T")

COLLECTION = "inbox"
EXPIRY = timedelta(days=90)  #: how long rows and tombstones are kept
TRIES = 25  #: of one transaction; a hot row meets that many conflicts only with that many rivals at once
FEW = 3  #: tries of one that reading again, or a moment, should have helped
FIRST_PAUSE_S = 0.002
LONGEST_PAUSE_S = 0.25
READ_FIRST = "rows are written when the transaction ends: none can be read after that"


#: Those of the inbox itself. MongoDB removes each row when its `expire_at` has passed.
INDEXES = (IndexModel([("expire_at", ASCENDING)], expireAfterSeconds=0),)


class InboxTransaction(Protocol):
    """One transaction: inbox rows, and through `database` and `session` the handlers' own effects."""

    @property
    def database(self) -> Any:
        """The participant's own database."""
        ...

    @property
    def session(self) -> Any:
        """Goes with every call on `database`; without it a write is outside the transaction."""
        ...

    async def rows(self, ids: Sequence[str]) -> Mapping[str, Row]:
        """The rows that exist, by id; before any is written."""
        ...

    async def insert(self, rows: Sequence[Row]) -> None:
        """Add new rows, when the transaction ends at the latest. It raises `Conflict` where one exists by now."""
        ...

    async def replace(self, rows: Sequence[Row]) -> None:
        """Store known rows again, likewise. `Conflict` where somebody else changed or removed one meanwhile."""
        ...


Body = Callable[[InboxTransaction], Awaitable[T]]


class Inbox(Protocol):
    """Two implementations pass one contract suite: `MongoInbox`, and `MemoryInbox` in memory_inbox.py."""

    @property
    def expiry(self) -> timedelta:
        """How long rows are kept."""
        ...

    @property
    def database(self) -> Any:
        """The participant's own database, outside of any transaction."""
        ...

    async def atomically(self, body: Body[T]) -> T:
        """Run `body` in one transaction and commit it.

        `body` may run many times: a conflict starts it over from a fresh read, so it must have no effects of its own.
        Raises `Conflict` after too many conflicts and `Unavailable` while the database is away or its answer to the
        commit is lost; any other exception of `body` aborts and passes.
        """
        ...


async def restarting(once: Callable[[], Awaitable[T]], clock: Clock, random: Random, tries: int) -> T:
    """Call `once` until it meets no `Conflict`, at most `tries` times, after longer and longer random pauses.

    Where a lock outlasts them all, that is nobody's failure: MongoDB keeps the locks of a process that died in a
    transaction for up to `transactionLifetimeLimitSeconds`. So it is `Unavailable`, which is never counted. A key that
    is taken, or a transaction that MongoDB ends by itself, is tried a few times only: others wait for their turn.
    """
    pause_s, helpless = FIRST_PAUSE_S, 0
    for _ in range(tries - 1):
        try:
            return await once()
        except Conflict as conflict:
            helpless += isinstance(conflict, Taken | Aborted)
            if helpless == FEW:
                raise
            await clock.sleep(random.uniform(0, pause_s))
            pause_s = min(pause_s * 1.5, LONGEST_PAUSE_S)
    try:
        return await once()
    except Locked as locked:
        raise Unavailable("an open transaction holds what this one needs") from locked


class MongoInbox:
    """The inbox in MongoDB, collection `inbox`.

    `indexes` are those of the participant's own collections; they are made before the first transaction, with ours.
    """

    def __init__(
        self,
        mongo: Mongo,
        database: str,
        clock: Clock,
        random: Random,
        *,
        expiry: timedelta = EXPIRY,
        tries: int = TRIES,
        indexes: Mapping[str, Sequence[IndexModel]] | None = None,
    ) -> None:
        self.expiry = expiry
        self._tries = tries
        self._mongo = mongo
        self.database = mongo.database(database)
        self._clock = clock
        self._random = random
        self._indexes: dict[str, Sequence[IndexModel]] = {COLLECTION: INDEXES, **(indexes or {})}
        self._prepared = False

    async def atomically(self, body: Body[T]) -> T:
        """As `Inbox.atomically`; raises `Unavailable` while MongoDB is away."""
        await self._prepare()

        async def in_session(session: Session) -> T:
            return await body(_MongoTransaction(self.database, session))

        return await restarting(lambda: self._mongo.transaction(in_session), self._clock, self._random, self._tries)

    async def _prepare(self) -> None:
        # Not when it is made: a participant starts, and keeps trying, also while MongoDB is away.
        if not self._prepared:
            for collection, indexes in self._indexes.items():
                await ensure_indexes(self.database[collection], indexes)
            self._prepared = True


class _MongoTransaction:
    def __init__(self, database: Any, session: Session) -> None:
        self.database = database
        self.session = session
        self._written = False

    async def rows(self, ids: Sequence[str]) -> Mapping[str, Row]:
        assert not self._written, READ_FIRST
        found = await find(self.database[COLLECTION], {"_id": {"$in": list(ids)}}, limit=len(ids), session=self.session)
        return {document["_id"]: row_from(document) for document in found}

    async def insert(self, rows: Sequence[Row]) -> None:
        if rows:
            self._written = True
            insert_last(self.database, COLLECTION, [document_of(row) for row in rows], self.session)

    async def replace(self, rows: Sequence[Row]) -> None:
        # With `$set` MongoDB writes down what differs, and not the whole row. No row ever loses a field.
        known = [{"q": {"_id": row.id}, "u": {"$set": document_of(row)}} for row in rows]
        if known:
            self._written = True
            update_last(self.database, COLLECTION, known, self.session)


def document_of(row: Row) -> Document:
    """A row as it is stored, made to be looked at with mongosh; what does not apply is left out."""
    document: Document = {
        "_id": row.id,
        "saga_id": row.saga_id,
        "step": row.step,
        "kind": row.kind.value,
        "type": row.type,
        "outcome": row.outcome.value if row.outcome else "unknown",
        "command": dict(row.command),
        "reply": dict(row.reply),
        "at": row.at,
        "expire_at": row.expire_at,
    }
    if row.tombstone:
        document["tombstone"] = True
    if row.undone_by is not None:
        document["undone_by"] = row.undone_by
    return document


def row_from(document: Document) -> Row:
    """The row stored in `document`."""
    outcome = document["outcome"]
    return Row(
        id=document["_id"],
        saga_id=document["saga_id"],
        step=document["step"],
        kind=Kind(document["kind"]),
        type=document["type"],
        outcome=None if outcome == "unknown" else Outcome(outcome),
        command=document["command"],
        reply=document["reply"],
        at=document["at"],
        expire_at=document["expire_at"],
        tombstone=document.get("tombstone", False),
        undone_by=document.get("undone_by"),
    )
