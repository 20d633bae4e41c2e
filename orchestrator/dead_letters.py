"""The copy of dead letters in MongoDB: Redis may lose its own, and a person must see them.

A dead letter may hold anything, so nothing of it becomes a key, and everything is cut to a size. `DeadLetterStore` is
the port of whoever looks at them; `DeadLetters` here and `MemoryDeadLetters` (memory_dead_letters.py) pass one contract
suite.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from adapters.bus import Delivery
from adapters.clock import Clock
from adapters.mongo import (
    ASCENDING,
    DESCENDING,
    Database,
    IndexModel,
    Mongo,
    ensure_indexes,
    find,
    insert_new,
    translating,
)

MAX_FIELDS = 64
MAX_NAME_LENGTH = 256
MAX_TOTAL_LENGTH = 1_000_000  #: of all values together; MongoDB's limit is 16 MB a document
MAX_REASON_LENGTH = 2_000

NEWEST_FIRST = [("at", DESCENDING), ("_id", DESCENDING)]
WITHOUT_FIELDS = {"fields": 0}
_WAITING_FIRST = {"redriven_at": ASCENDING, "stream": ASCENDING}  #: nothing comes before every time
COLLECTION = "dead_letters"

COUNTED = 10_000  #: that wait; beyond that they are many
_TIME_LIMIT_MS = 5_000


def indexes(expiry_days: int) -> Sequence[IndexModel]:
    """Those of the collection; MongoDB removes what is older than that."""
    return (
        IndexModel(NEWEST_FIRST, name="newest"),
        IndexModel([("saga_id", ASCENDING)], name="saga_id"),
        IndexModel(list(_WAITING_FIRST.items()), name="waiting"),
        IndexModel([("at", ASCENDING)], name="expiry", expireAfterSeconds=expiry_days * 86_400),
    )


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One dead letter. `fields` is what the entry held; a page leaves it out."""

    id: str
    stream: str
    entry_id: str
    at: datetime
    reason: str
    saga_id: str  #: as the entry's `subject` says; anything
    type: str
    truncated: bool  #: something was cut off or changed, so it is not what was received
    redrives: int = 0  #: how often it was given another try
    redriven_at: datetime | None = None
    redriven_by: str | None = None
    fields: Mapping[str, str] | None = None


class DeadLetterStore(Protocol):
    """Where dead letters are looked at. Every call raises `Unavailable` while it is away."""

    async def page(self, after: tuple[datetime, str] | None, limit: int) -> Sequence[DeadLetter]:
        """The newest ones, without their fields; `after` is time and id of the last one of the page before."""
        ...

    async def get(self, letter_id: str) -> DeadLetter | None:
        """One, with its fields."""
        ...

    async def waiting(self) -> Mapping[str, int]:
        """By stream, where there are any: how many wait for somebody to redrive or delete them; `COUNTED` at most."""
        ...

    async def mark_redriven(self, letter_id: str, at: datetime, by: str) -> None:
        """It was put on its stream once more."""
        ...

    async def delete(self, letter_id: str) -> bool:
        """Remove it; whether it was there."""
        ...


class DeadLetters:
    """The collection `dead_letters`. Called by the bus with each dead letter; a repeat is not added twice."""

    def __init__(self, mongo: Mongo, database: str, clock: Clock, *, expiry_days: int = 90) -> None:
        self._database = mongo.database(database)
        self._letters = self._database[COLLECTION]
        self._clock = clock
        self._expiry_days = expiry_days

    async def prepare(self) -> None:
        """Make the indexes."""
        await ensure_indexes(self._letters, indexes(self._expiry_days))

    async def __call__(self, delivery: Delivery, reason: str) -> None:
        """Keep a copy. Raises `Unavailable`: then the entry stays pending and comes again."""
        await insert_new(self._letters, [to_document(delivery, reason) | {"at": self._clock.now()}])

    async def page(self, after: tuple[datetime, str] | None, limit: int) -> Sequence[DeadLetter]:
        query: dict[str, Any] = {}
        if after is not None:
            at, last = after
            query = {"$or": [{"at": {"$lt": at}}, {"at": at, "_id": {"$lt": last}}]}
        found = await find(self._letters, query, limit=limit, sort=NEWEST_FIRST, projection=WITHOUT_FIELDS)
        return [from_document(document) for document in found]

    async def get(self, letter_id: str) -> DeadLetter | None:
        found = await find(self._letters, {"_id": letter_id}, limit=1)
        return from_document(found[0]) if found else None

    async def waiting(self) -> Mapping[str, int]:
        return await count_waiting(self._database)

    async def mark_redriven(self, letter_id: str, at: datetime, by: str) -> None:
        marks = {"$set": {"redriven_at": at, "redriven_by": by}, "$inc": {"redrives": 1}}
        with translating():
            await self._letters.update_one({"_id": letter_id}, marks)

    async def delete(self, letter_id: str) -> bool:
        with translating():
            result = await self._letters.delete_one({"_id": letter_id})
        return bool(result.deleted_count)


async def count_waiting(database: Database, most: int = COUNTED) -> Mapping[str, int]:
    """See `DeadLetterStore.waiting`. Reads at most so many keys of the index and no letter: one may be a megabyte."""
    pipeline = [
        {"$sort": _WAITING_FIRST},
        {"$limit": most},
        {"$project": {"_id": 0, **dict.fromkeys(_WAITING_FIRST, 1)}},
        {"$match": {"redriven_at": None}},  # Only now: the index can't tell null from missing without the letter.
        {"$group": {"_id": "$stream", "count": {"$sum": 1}}},
    ]
    with translating():  # As a command: the drivers' `aggregate` differ.
        answer = await database.command(
            "aggregate", COLLECTION, pipeline=pipeline, cursor={"batchSize": most}, maxTimeMS=_TIME_LIMIT_MS
        )
    return {group["_id"]: group["count"] for group in answer["cursor"]["firstBatch"]}


def letter_id(stream: str, entry_id: str) -> str:
    """The same for every copy of one entry."""
    return hashlib.sha256(f"{stream}\n{entry_id}".encode()).hexdigest()[:32]


def to_document(delivery: Delivery, reason: str) -> dict[str, Any]:
    """The document of a dead letter; `truncated` says that something was cut off."""
    fields = _cut(list(delivery.fields.items()))
    return {
        "_id": letter_id(delivery.stream, delivery.entry_id),
        "stream": delivery.stream,
        "entry_id": delivery.entry_id,
        "reason": _text(reason, MAX_REASON_LENGTH),
        "saga_id": _text(delivery.fields.get("subject", ""), MAX_NAME_LENGTH),
        "type": _text(delivery.fields.get("type", ""), MAX_NAME_LENGTH),
        "fields": fields,
        "truncated": fields != [{"name": name, "value": value} for name, value in delivery.fields.items()],
    }


def from_document(document: Mapping[str, Any]) -> DeadLetter:
    """The dead letter of a document, which may have come without its fields."""
    fields = document.get("fields")
    return DeadLetter(
        id=document["_id"],
        stream=document["stream"],
        entry_id=document["entry_id"],
        at=document["at"],
        reason=document["reason"],
        saga_id=document["saga_id"],
        type=document["type"],
        truncated=document["truncated"],
        redrives=document.get("redrives", 0),
        redriven_at=document.get("redriven_at"),
        redriven_by=document.get("redriven_by"),
        fields=None if fields is None else {field["name"]: field["value"] for field in fields},
    )


def _cut(fields: list[tuple[str, str]]) -> list[dict[str, str]]:
    kept, room = [], MAX_TOTAL_LENGTH
    for name, value in fields[:MAX_FIELDS]:
        kept.append({"name": _text(name, MAX_NAME_LENGTH), "value": _text(value, room)})
        room = max(0, room - len(value))
    return kept


def _text(value: str, limit: int) -> str:
    """Text that BSON can hold: a lone surrogate becomes a visible escape."""
    return value[:limit].encode(errors="backslashreplace").decode()
