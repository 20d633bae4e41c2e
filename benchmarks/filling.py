"""Databases filled with copies of sagas that the system itself has written: other ids, other times, nothing else."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pymongo

from cli.bench.ground import Ground
from orchestrator.api.listing import cursor_behind
from orchestrator.listed import MOST

Document = dict[str, Any]

TOGETHER = 5_000  #: documents in one insert
APART = timedelta(seconds=2)  #: between the beginnings of two copies
LATER = timedelta(days=1)
MANY_OLD, FEW_OLD = "-old", "-few"  #: what the ids of the oldest go on with
ROWS = {"inventory": ("inbox", "ledger"), "payment": ("inbox", "ledger"), "orders": ("inbox", "ledger", "orders")}


class Filling:
    """Copies one saga, with all that the participants hold of it."""

    def __init__(self, ground: Ground) -> None:
        self._client = pymongo.MongoClient[Document](ground.mongo_url, tz_aware=True)
        self._prefix = ground.database_prefix
        self.sagas = self._collection("orchestrator", "sagas")

    def close(self) -> None:
        self._client.close()

    def ended(self, like: str, name: str, first: int, count: int) -> None:
        """So many more sagas that ended as that one did, each a little before the one with the next lower number."""
        templates = {self.sagas: [self._template(like)]}
        for participant, collections in ROWS.items():
            for collection in collections:
                rows = self._collection(participant, collection)
                templates[rows] = list(rows.find({"$or": [{"saga_id": like}, {"_id": like}]}))
        for into, documents in templates.items():
            self._insert(into, documents, like, name, first, count)

    def oldest(self, like: str, name: str, behind: int) -> int:
        """Behind so many that ended: of one prefix as many as are looked up, of another one twice that; all of them."""
        self.ended(like, f"{name}{MANY_OLD}", behind, 2 * MOST)
        self.ended(like, f"{name}{FEW_OLD}", behind + 2 * MOST, MOST)
        return 3 * MOST

    def asleep(self, like: str, name: str, count: int) -> None:
        """So many that wait as that one does; none of their timers is due for a day."""
        document = self._template(like)
        pending = [
            each | {time: each[time] + LATER for time in ("sent_at", "deadline")} for each in document["pending"]
        ]
        later = {"pending": pending, "wake_at": document["wake_at"] + LATER}
        self._insert(self.sagas, [document | later], like, name, 0, count, timedelta())

    def due(self, like: str, name: str, count: int) -> None:
        """So many that wait as that one does, whose commands are to be sent again now; no attempt's time is over."""
        document = self._template(like)
        pending = [each | {"deadline": each["deadline"] + LATER} for each in document["pending"]]
        now = {"pending": pending, "wake_at": datetime.now(UTC)}
        self._insert(self.sagas, [document | now], like, name, 0, count, timedelta())

    def _template(self, saga_id: str) -> Document:
        found = self.sagas.find_one({"_id": saga_id})
        assert found is not None, saga_id
        return dict(found)

    def _collection(self, database: str, name: str) -> "pymongo.collection.Collection[Document]":
        return self._client[f"{self._prefix}{database}"][name]

    def _insert(
        self,
        into: "pymongo.collection.Collection[Document]",
        templates: list[Document],
        like: str,
        name: str,
        first: int,
        count: int,
        apart: timedelta = APART,
    ) -> None:
        for begin in range(first, first + count, TOGETHER):
            numbers = range(begin, min(begin + TOGETHER, first + count))
            copies = [
                copied(_without_key(one), like, f"{name}-{number}", number * -apart)
                for number in numbers
                for one in templates
            ]
            if copies:
                into.insert_many(copies, ordered=False)


def copied(what: Any, like: str, saga_id: str, moved: timedelta) -> Any:
    """The same, with the one id in place of the other wherever it stands, and every time moved."""
    match what:
        case str():
            return what.replace(like, saga_id)
        case datetime():
            return what + moved
        case Mapping():
            return {key: copied(value, like, saga_id, moved) for key, value in what.items()}
        case list():
            return [copied(value, like, saga_id, moved) for value in what]
        case _:
            return what


def _without_key(row: Document) -> Document:
    """Keys that the driver has made would be the same in each copy."""
    return row if isinstance(row["_id"], str) else {name: value for name, value in row.items() if name != "_id"}


def filters(name: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Each filter of `GET /v1/sagas`, and several of them, as people use them and as MongoDB finds them hardest.

    The copies' ids begin with `name`, and so do those that `Filling.oldest` has made.
    """
    hour_ago, days_ago = (datetime.now(UTC) - ago for ago in (timedelta(hours=1), timedelta(days=9)))
    recent, long_ago = (f"{at:%Y-%m-%dT%H:%M:%SZ}" for at in (hour_ago, days_ago))
    far = {"cursor": cursor_behind(days_ago, name)}
    yield "none", {}
    for status in ("completed", "compensated", "running", "stuck"):
        yield f"status {status}", {"status": status}
    yield "saga", {"saga": "order"}
    yield "saga, none", {"saga": "nobody"}
    yield "since an hour ago", {"since": recent}
    yield "since nine days ago", {"since": long_ago}
    yield "far back", far
    yield "far back, status", far | {"status": "completed"}
    yield "far back, saga", far | {"saga": "order"}
    yield "far back, saga and status", far | {"saga": "order", "status": "completed"}
    yield "q, many", {"q": f"{name}-1"}
    yield "q, one", {"q": f"{name}-77"}
    yield "q, none", {"q": "nobody"}
    yield "q, the oldest", {"q": f"{name}-9"}
    yield "q, too many, all older", {"q": f"{name}{MANY_OLD}"}
    yield "q, too many, all older, and saga", {"q": f"{name}{MANY_OLD}", "saga": "order"}
    yield "q, too many, all older, and status", {"q": f"{name}{MANY_OLD}", "status": "completed"}
    yield "q, too many, all older, far back", {"q": f"{name}{MANY_OLD}", "saga": "order"} | far
    yield "q, few enough", {"q": f"{name}{FEW_OLD}"}
    yield "q, few enough, and saga", {"q": f"{name}{FEW_OLD}", "saga": "order"}
    yield "q, few enough, and status, none", {"q": f"{name}{FEW_OLD}", "status": "compensated"}
    yield "q and status, none", {"q": f"{name}-1", "status": "compensated"}
    yield "since and status, none", {"since": long_ago, "status": "compensated"}
