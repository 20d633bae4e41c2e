"""What has become of sagas, from MongoDB's change stream.

Nothing is written for it: an update of a saga adds to its history, and the change stream says what an update changed.
"""

from collections import OrderedDict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from itertools import takewhile
from typing import Any

import structlog

from adapters.change_stream import ChangeStream, change_stream
from adapters.mongo import Mongo, find
from orchestrator.changes import Page, Position, SagaEvent, events_of
from orchestrator.core.state import Transition
from orchestrator.documents import Document, transition_from

log = structlog.get_logger(__name__)

KNOWN_LIMIT = 50_000  #: sagas whose name and version are remembered

_FIELDS = "updateDescription.updatedFields"
#: Only writes that made a new revision, and of them little more than the history: the rest need not travel.
PIPELINE: Sequence[Mapping[str, Any]] = (
    {
        "$match": {
            "documentKey._id": {"$type": "string"},
            "$or": [
                {"operationType": "insert"},
                {"operationType": "update", f"{_FIELDS}.revision": {"$exists": True}},
            ],
        }
    },
    {
        "$project": {
            "operationType": 1,
            "documentKey": 1,
            "fullDocument": {"saga": 1, "version": 1, "history": 1},
            "changed": {
                "$filter": {
                    "input": {"$objectToArray": f"${_FIELDS}"},
                    "cond": {"$regexMatch": {"input": "$$this.k", "regex": "^(history|updated_at)"}},
                }
            },
        }
    },
)

BROKEN = (AttributeError, KeyError, TypeError, ValueError)  #: what a document raises that somebody broke by hand

Whose = tuple[str, str, int]


def transitions_in(change: Mapping[str, Any]) -> tuple[Transition, ...]:
    """The transitions that one write added to a saga, oldest first; a folded one is the entry that it replaced.

    Raises one of `BROKEN` for what is no saga.
    """
    if change["operationType"] == "insert":
        return tuple(_transition(entry) for entry in change["fullDocument"]["history"])
    fields = {field["k"]: field["v"] for field in change["changed"]}
    if "history" in fields:  # An entry was dropped at the other end, so the whole list is new.
        return tuple(reversed(list(_newest(fields["history"], fields["updated_at"]))))
    numbers = sorted(int(name.removeprefix("history.")) for name in fields if name.startswith("history."))
    return tuple(_transition(fields[f"history.{number}"]) for number in numbers)


def _newest(history: Sequence[Document], written_at: Any) -> Sequence[Transition]:
    """What is decided together has one time, and is written together."""
    return [_transition(entry) for entry in takewhile(lambda entry: entry["at"] == written_at, reversed(history))]


def _transition(entry: Document) -> Transition:
    made = transition_from(entry)
    told: list[tuple[object, Any]] = [(made.at, datetime), (made.revision, int)]
    told += [(event, str) for event in made.events]
    told += [(made.step, str | None), (made.code, str | None), (made.attempt, int | None)]
    if not all(isinstance(value, kind) for value, kind in told):
        raise TypeError("a field of the entry has the wrong type")
    return made


class MongoChangeFeed:
    """The collection `sagas`, as it changes."""

    def __init__(self, mongo: Mongo, database: str) -> None:
        self._mongo = mongo
        self._database = database
        self._known: OrderedDict[str, tuple[str, int]] = OrderedDict()

    @asynccontextmanager
    async def read(self, after: Position | None) -> AsyncIterator["MongoChanges"]:
        token = None if after is None else after.token
        async with change_stream(self._mongo, self._database, "sagas", PIPELINE, token) as stream:
            yield MongoChanges(self, stream, after or Position(stream.position))

    async def whose(self, changes: Sequence[Mapping[str, Any]]) -> dict[str, Whose]:
        """Name and version of the sagas that were written; a saga never changes them."""
        for change in changes:
            if change["operationType"] == "insert":
                self._remember(change["documentKey"]["_id"], change["fullDocument"])
        ids = {change["documentKey"]["_id"] for change in changes}
        if missing := [saga_id for saga_id in ids if saga_id not in self._known]:
            sagas = self._mongo.database(self._database).sagas
            for document in await find(
                sagas, {"_id": {"$in": missing}}, limit=len(missing), projection=["saga", "version"]
            ):
                self._remember(document["_id"], document)
        found = {saga_id: (saga_id, *self._known[saga_id]) for saga_id in ids if saga_id in self._known}
        while len(self._known) > KNOWN_LIMIT:
            self._known.popitem(last=False)
        return found

    def _remember(self, saga_id: str, document: Mapping[str, Any]) -> None:
        if isinstance(document.get("saga"), str) and isinstance(document.get("version"), int):
            self._known[saga_id] = (document["saga"], document["version"])


class MongoChanges:
    """An open stream of a feed."""

    def __init__(self, feed: MongoChangeFeed, stream: ChangeStream, begin: Position) -> None:
        self._feed = feed
        self._stream = stream
        self._at = begin

    @property
    def position(self) -> Position:
        return self._at

    async def page(self, wait_s: float) -> Page:
        changes = await self._stream.page(wait_s)
        whose = await self._feed.whose(changes)
        events: list[SagaEvent] = []
        for change in changes:
            token = change["_id"]["_data"]
            events += self._events(change, token, whose.get(change["documentKey"]["_id"]))
            self._at = Position(token)
        if not self._at.told:  # Else the write that was told in part is still to come.
            self._at = Position(self._stream.position)
        return Page(tuple(events), self._at)

    def _events(self, change: Mapping[str, Any], token: str, whose: Whose | None) -> Sequence[SagaEvent]:
        """A document that somebody broke or removed by hand must not stop the stream."""
        if whose is None:
            return ()
        try:
            return events_of(self._at, token, whose, transitions_in(change))
        except BROKEN as error:
            log.error("change-unreadable", saga_id=str(whose[0]), exc_info=error)
            return ()
