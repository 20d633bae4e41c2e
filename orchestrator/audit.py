"""Who did what: one record for each request of an operator and for each one that was turned away at the door.

Records are added and never changed, and hold no payloads. They go at their end only: `expiry_days` after their time.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from adapters.mongo import ASCENDING, DESCENDING, IndexModel, Mongo, ensure_indexes, insert_new

COLLECTION = "audit"


def indexes(expiry_days: int) -> Sequence[IndexModel]:
    """Those of the collection; MongoDB removes what is older than that."""
    return (
        IndexModel([("at", ASCENDING)], name="expiry", expireAfterSeconds=expiry_days * 86_400),
        IndexModel([("saga_id", ASCENDING), ("at", DESCENDING)], name="saga_id"),
    )


class Result(StrEnum):
    """What became of a request."""

    ACCEPTED = "accepted"  #: done
    REFUSED = "refused"  #: turned down; `refusal` says why
    UNKNOWN = "unknown"  #: a database went away in the middle: it may be done or not


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One request."""

    id: str
    at: datetime
    who: str  #: the API key's name; "" where nobody has to say who they are, or could not
    action: str  #: `cancel`, `retry`, …; `authenticate` and `authorize` for those turned away at the door
    outcome: Result
    refusal: str | None = None  #: a code, such as `pivot-passed`
    saga_id: str | None = None
    dead_letter: str | None = None
    reason: str | None = None  #: in the operator's words
    path: str | None = None  #: of a request that was turned away
    request_id: str | None = None


class AuditLog(Protocol):
    """Where records are kept."""

    async def add(self, record: Record) -> None:
        """Keep it, durably. Raises `Unavailable`."""
        ...


class MongoAuditLog:
    """The collection `audit`."""

    def __init__(self, mongo: Mongo, database: str, *, expiry_days: int = 400) -> None:
        self._records = mongo.database(database)[COLLECTION]
        self._expiry_days = expiry_days

    async def prepare(self) -> None:
        """Make the indexes."""
        await ensure_indexes(self._records, indexes(self._expiry_days))

    async def add(self, record: Record) -> None:
        said = {name: value for name, value in asdict(record).items() if value is not None and name != "id"}
        await insert_new(self._records, [{"_id": record.id, **said, "outcome": record.outcome.value}])


class MemoryAuditLog:
    """The twin for tests."""

    def __init__(self) -> None:
        self.records: list[Record] = []

    async def add(self, record: Record) -> None:
        self.records.append(record)
