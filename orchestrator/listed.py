"""A page of sagas: which documents it has, and the index that finds them without looking at many others.

The index is named, never left to MongoDB: its planner keeps what suited one search for the next one of the same shape,
and a prefix that a million ids have needs another index than one that nobody has.

Every filter but the prefix is a range of an index that has the order of lists. A prefix that at most `MOST` ids have is
looked up among ids. Any other one is looked for in the list as it is without the prefix, among its next `MOST` sagas:
then the page ends, however few it has found, and says where the next one begins.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import product

from adapters.mongo import ASCENDING, DESCENDING, Document, IndexModel
from orchestrator.core.state import SagaState, Status

NEWEST_FIRST = [("created_at", DESCENDING), ("_id", DESCENDING)]
#: None holds a field that changes with each transition: that would triple a write's cost.
INDEXES = (
    IndexModel(NEWEST_FIRST, name="newest"),
    IndexModel([("status", ASCENDING), *NEWEST_FIRST], name="status_newest"),
    IndexModel([("saga", ASCENDING), ("status", ASCENDING), *NEWEST_FIRST], name="saga_status_newest"),
)
MOST = 10_000  #: sagas among which one page looks for a prefix

Place = tuple[datetime, str]  #: in a list: `created_at` and id


@dataclass(frozen=True, slots=True)
class Query:
    """Which sagas to list, newest first. `after` is the `next` of the page before."""

    saga: str | None = None
    status: Status | None = None
    since: datetime | None = None  #: created at or after
    prefix: str | None = None  #: of the id
    after: Place | None = None
    limit: int = 50
    most: int = MOST


@dataclass(frozen=True, slots=True)
class Page:
    """Sagas, newest first. Where it has a `next` more may follow, even if there are fewer than the limit, or none."""

    sagas: Sequence[SagaState]
    next: Place | None


def by_time(query: Query, until: Place | None = None) -> Document:
    """What a page has, up to and with `until`, as alternatives: each is one range of the index of `index_by_time`.

    Less said, MongoDB walks to the page through all that stands before it, or sorts all that stands behind it.
    """
    every = [{"status": status.value} for status in Status] if query.saga and not query.status else [{}]
    ranges = product(every, _behind(query.after), _up_to(until))
    return {"$or": [{"$and": [*_filters(query), *each]} for each in ranges]}


def index_by_time(query: Query) -> str:
    """The name of the index that has the order of this list."""
    if query.saga is not None:
        return "saga_status_newest"
    return "newest" if query.status is None else "status_newest"


def without_prefix(query: Query) -> Document:
    """The rest of the list in which the prefix is looked for."""
    return by_time(replace(query, prefix=None))


def by_id(query: Query) -> Document:
    """What a page has, in no order that an index has."""
    return {"$and": [*_filters(query), {"$or": _behind(query.after)}]}


def place_of(document: Document) -> Place | None:
    """None where somebody has broken its time: such ones stand behind all others."""
    at = document.get("created_at")
    return (at, document["_id"]) if isinstance(at, datetime) else None


def beginning_with(prefix: str) -> Document:
    """Ids are ASCII."""
    return {"_id": {"$gte": prefix, "$lt": prefix + "\x7f"}}


def _filters(query: Query) -> list[Document]:
    """Values only under fixed keys: nothing from a client can become an operator."""
    conditions: list[Document] = [{}]
    if query.saga is not None:
        conditions.append({"saga": query.saga})
    if query.status is not None:
        conditions.append({"status": query.status.value})
    if query.since is not None:
        conditions.append({"created_at": {"$gte": query.since}})
    if query.prefix is not None:
        conditions.append(beginning_with(query.prefix))
    return conditions


def _behind(place: Place | None) -> list[Document]:
    if place is None:
        return [{}]
    at, saga_id = place
    return [{"created_at": {"$lt": at}}, {"created_at": at, "_id": {"$lt": saga_id}}]


def _up_to(place: Place | None) -> list[Document]:
    if place is None:
        return [{}]
    at, saga_id = place
    return [{"created_at": {"$gt": at}}, {"created_at": at, "_id": {"$gte": saga_id}}]
