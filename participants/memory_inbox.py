"""The inbox's twin in memory, for tests and simulated failure runs: the isolation of MongoDB's transactions.

A transaction sees what was committed when it began; of two that write the same key the second meets `Conflict`, and
so does one that reads what was committed since (MongoDB would show it the old value). As there, two that only *read*
the same absent row and then write different ones both commit: write skew is possible, and a barrier that relies on
its absence fails here too. Nothing survives the process.
"""

from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from datetime import timedelta
from random import Random
from typing import Any, TypeVar

from adapters.clock import Clock
from adapters.errors import Conflict
from participants.barrier import Row
from participants.inbox import EXPIRY, READ_FIRST, TRIES, Body, restarting

T = TypeVar("T")

_ABSENT = object()


class MemoryDatabase:
    """What is committed: inbox rows, and the handlers' own documents."""

    def __init__(self) -> None:
        self.rows: dict[str, Row] = {}
        self.documents: dict[str, Any] = {}
        self._changed_at: dict[tuple[str, str], int] = {}  #: which commit last wrote each key
        self.commits = 0  #: how many transactions have been committed

    def commit(self, transaction: "MemoryTransaction") -> None:
        """Make what the transaction wrote visible; raises `Conflict` where somebody else wrote the same meanwhile."""
        written: list[tuple[str, _View]] = [("rows", transaction.inbox), ("database", transaction.database)]
        for space, view in written:
            for key in view.written:
                self.check(space, key, transaction.began)
        self.commits += 1
        for space, view in written:
            for key in view.written:
                self._changed_at[space, key] = self.commits
            view.apply()

    def check(self, space: str, key: str, began: int) -> None:
        """Raise `Conflict` if the key was written by a commit after `began`."""
        if self._changed_at.get((space, key), 0) > began:
            raise Conflict(f"{key} was written meanwhile")


class MemoryInbox:
    """Rows in a dict. `database` of a transaction is a `MutableMapping` for the handlers' effects.

    Inboxes of one `MemoryDatabase` share it, as the processes of one participant do.
    """

    def __init__(
        self,
        clock: Clock,
        random: Random,
        *,
        database: MemoryDatabase | None = None,
        expiry: timedelta = EXPIRY,
        tries: int = TRIES,
    ) -> None:
        self.expiry = expiry
        self.committed = database or MemoryDatabase()
        self._tries = tries
        self._clock = clock
        self._random = random

    @property
    def rows(self) -> Mapping[str, Row]:
        """The committed inbox rows."""
        return self.committed.rows

    @property
    def database(self) -> dict[str, Any]:
        """What handlers have committed."""
        return self.committed.documents

    async def atomically(self, body: Body[T]) -> T:
        """As `Inbox.atomically`."""
        return await restarting(lambda: self._once(body), self._clock, self._random, self._tries)

    async def _once(self, body: Body[T]) -> T:
        transaction = MemoryTransaction(self.committed, self._clock)
        result = await body(transaction)
        await self.commit(transaction)
        return result

    async def commit(self, transaction: "MemoryTransaction") -> None:
        """End a transaction; a simulated process may die before or behind it."""
        await self._clock.sleep(0)  # Others run between the last write and the commit, as on a server.
        self.committed.commit(transaction)


class _View(MutableMapping[str, Any]):
    """A mapping as one transaction sees it."""

    def __init__(self, database: MemoryDatabase, space: str, began: int) -> None:
        self.written: dict[str, Any] = {}
        self._committed: dict[str, Any] = database.rows if space == "rows" else database.documents
        self._check: Callable[[str], None] = lambda key: database.check(space, key, began)

    def __getitem__(self, key: str) -> Any:
        if key not in self.written:
            self._check(key)
            return self._committed[key]
        if self.written[key] is _ABSENT:
            raise KeyError(key)
        return self.written[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self._check(key)
        self.written[key] = value

    def __delitem__(self, key: str) -> None:
        self[key] = _ABSENT

    def __iter__(self) -> Iterator[str]:
        keys = dict.fromkeys([*self._committed, *self.written])
        return (key for key in keys if self.written.get(key) is not _ABSENT)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def apply(self) -> None:
        for key, value in self.written.items():
            if value is _ABSENT:
                self._committed.pop(key, None)
            else:
                self._committed[key] = value


class MemoryTransaction:
    """Implements `participants.inbox.InboxTransaction`."""

    session = None

    def __init__(self, database: MemoryDatabase, clock: Clock) -> None:
        self.began = database.commits
        self.inbox = _View(database, "rows", self.began)
        self.database = _View(database, "database", self.began)
        self._clock = clock

    async def rows(self, ids: Sequence[str]) -> Mapping[str, Row]:
        assert not self.inbox.written, READ_FIRST
        await self._clock.sleep(0)
        return {row_id: self.inbox[row_id] for row_id in ids if row_id in self.inbox}

    async def insert(self, rows: Sequence[Row]) -> None:
        await self._clock.sleep(0)
        for row in rows:
            if row.id in self.inbox:
                raise Conflict(f"{row.id} exists")
            self.inbox[row.id] = row

    async def replace(self, rows: Sequence[Row]) -> None:
        await self._clock.sleep(0)
        for row in rows:
            if row.id not in self.inbox:
                raise Conflict(f"{row.id} has gone")
            self.inbox[row.id] = row
