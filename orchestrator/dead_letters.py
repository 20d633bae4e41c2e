"""The copy of dead letters in MongoDB: Redis may lose its own, and a person must see them.

A dead letter may hold anything, so nothing of it becomes a key, and everything is cut to a size.
"""

import hashlib
from typing import Any

from adapters.bus import Delivery
from adapters.clock import Clock
from adapters.mongo import ASCENDING, DESCENDING, IndexModel, Mongo, ensure_indexes, insert_new

MAX_FIELDS = 64
MAX_NAME_LENGTH = 256
MAX_TOTAL_LENGTH = 1_000_000  #: of all values together; MongoDB's limit is 16 MB a document
MAX_REASON_LENGTH = 2_000


class DeadLetters:
    """The collection `dead_letters`. Called by the bus with each dead letter; a repeat is not added twice."""

    def __init__(self, mongo: Mongo, database: str, clock: Clock) -> None:
        self._letters = mongo.database(database).dead_letters
        self._clock = clock

    async def prepare(self) -> None:
        """Make the indexes."""
        newest_first = [("at", DESCENDING), ("_id", DESCENDING)]
        await ensure_indexes(
            self._letters,
            [
                IndexModel(newest_first, name="newest"),
                IndexModel([("saga_id", ASCENDING)], name="saga_id"),
            ],
        )

    async def __call__(self, delivery: Delivery, reason: str) -> None:
        """Keep a copy. Raises `Unavailable`: then the entry stays pending and comes again."""
        await insert_new(self._letters, [to_document(delivery, reason) | {"at": self._clock.now()}])


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


def _cut(fields: list[tuple[str, str]]) -> list[dict[str, str]]:
    kept, room = [], MAX_TOTAL_LENGTH
    for name, value in fields[:MAX_FIELDS]:
        kept.append({"name": _text(name, MAX_NAME_LENGTH), "value": _text(value, room)})
        room = max(0, room - len(value))
    return kept


def _text(value: str, limit: int) -> str:
    """Text that BSON can hold: a lone surrogate becomes a visible escape."""
    return value[:limit].encode(errors="backslashreplace").decode()
