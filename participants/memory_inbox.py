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
from participants.inbox import EXPIRY, TRIES, Body, restarting

T = TypeVar("T")

_ABSENT = object()


class MemoryInbox:
    """Rows in a dict. `database` of a transaction is a `MutableMapping` for the handlers' effects."""

    def __init__(self, clock: Clock, random: Random, *, expiry: timedelta = EXPIRY, tries: int = TRIES) -> None:
        self.expiry = expiry
        self._tries = tries
        self.rows: dict[str, Row] = {}  #: what is committed
        self.database: dict[str, Any] = {}  #: what handlers have committed
        self._changed_at: dict[tuple[str, str], int] = {}  #: which commit last wrote each key
        self._commits = 0
        self._clock = clock
        self._random = random

    async def atomically(self, body: Body[T]) -> T:
        """As `Inbox.atomically`."""
        return await restarting(lambda: self._once(body), self._clock, self._random, self._tries)

    def forget(self, row_id: str) -> None:
        """Remove a row, as its expiry would."""
        self._commits += 1
        self._changed_at["rows", row_id] = self._commits
        del self.rows[row_id]

    async def _once(self, body: Body[T]) -> T:
        transaction = _MemoryTransaction(self, self._clock)
        result = await body(transaction)
        await self._clock.sleep(0)  # Others run between the last write and the commit, as on a server.
        self._commit(transaction)
        return result

    def _commit(self, transaction: "_MemoryTransaction") -> None:
        written: list[tuple[str, _View]] = [("rows", transaction.inbox), ("database", transaction.database)]
        for space, view in written:
            for key in view.written:
                self.check(space, key, transaction.began)
        self._commits += 1
        for space, view in written:
            for key in view.written:
                self._changed_at[space, key] = self._commits
            view.apply()

    def check(self, space: str, key: str, began: int) -> None:
        """Raise `Conflict` if the key was written by a commit after `began`."""
        if self._changed_at.get((space, key), 0) > began:
            raise Conflict(f"{key} was written meanwhile")

    @property
    def commits(self) -> int:
        """How many transactions have been committed."""
        return self._commits


class _View(MutableMapping[str, Any]):
    """A mapping as one transaction sees it."""

    def __init__(self, inbox: MemoryInbox, space: str, began: int) -> None:
        self.written: dict[str, Any] = {}
        self._committed: dict[str, Any] = inbox.rows if space == "rows" else inbox.database
        self._check: Callable[[str], None] = lambda key: inbox.check(space, key, began)

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


class _MemoryTransaction:
    session = None

    def __init__(self, inbox: MemoryInbox, clock: Clock) -> None:
        self.began = inbox.commits
        self.inbox = _View(inbox, "rows", self.began)
        self.database = _View(inbox, "database", self.began)
        self._clock = clock

    async def rows(self, ids: Sequence[str]) -> Mapping[str, Row]:
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
