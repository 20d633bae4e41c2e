"""A page of sagas: which documents it has, and the index that finds them without looking at many others.

The index is named, never left to MongoDB: its planner keeps what suited one search for the next one of the same shape,
and a prefix that a million ids have needs another index than one that nobody has.
"""

from dataclasses import dataclass
from datetime import datetime

from adapters.mongo import ASCENDING, DESCENDING, Document, IndexModel
from orchestrator.core.state import Status

NEWEST_FIRST = [("created_at", DESCENDING), ("_id", DESCENDING)]
#: None holds a field that changes with each transition: that would triple a write's cost.
INDEXES = (
    IndexModel(NEWEST_FIRST, name="newest"),
    IndexModel([("status", ASCENDING), *NEWEST_FIRST], name="status_newest"),
    IndexModel([("saga", ASCENDING), ("status", ASCENDING), *NEWEST_FIRST], name="saga_status_newest"),
)
FEW = 10_000  #: ids with a prefix: so many are read and sorted sooner than looked for among all others


@dataclass(frozen=True, slots=True)
class Query:
    """Which sagas to list, newest first. `after` is the last one of the page before."""

    saga: str | None = None
    status: Status | None = None
    since: datetime | None = None  #: created at or after
    prefix: str | None = None  #: of the id
    after: tuple[datetime, str] | None = None  #: `created_at` and id
    limit: int = 50


def wanted(query: Query) -> Document:
    """Values only under fixed keys: nothing from a client can become an operator."""
    conditions: list[Document] = []
    if query.saga is not None:
        conditions.append({"saga": query.saga})
    if query.status is not None:
        conditions.append({"status": query.status.value})
    elif query.saga is not None:  # Each has one of these: MongoDB merges what the index has of each, in order.
        conditions.append({"status": {"$in": [status.value for status in Status]}})
    if query.since is not None:
        conditions.append({"created_at": {"$gte": query.since}})
    if query.prefix is not None:
        conditions.append(beginning_with(query.prefix))
    if query.after is not None:
        at, saga_id = query.after
        conditions.append({"$or": [{"created_at": {"$lt": at}}, {"created_at": at, "_id": {"$lt": saga_id}}]})
    return {"$and": conditions} if conditions else {}


def beginning_with(prefix: str) -> Document:
    """Ids are ASCII."""
    return {"_id": {"$gte": prefix, "$lt": prefix + "\x7f"}}


def index(query: Query, *, few: bool) -> str:
    """The name of the index to look through; `few` says that not more than `FEW` ids have the prefix."""
    if few:
        return "_id_"
    if query.saga is not None:
        return "saga_status_newest"
    return "newest" if query.status is None else "status_newest"
