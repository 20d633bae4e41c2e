"""Saga documents in MongoDB: the only truth. Every write is a compare-and-set on `revision`.

`SagaStore` is the port; `MongoSagaStore` here and `MemorySagaStore` (memory_store.py) pass one contract suite. A store
never decides anything about a saga.
"""

import random
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

import structlog

from adapters.errors import Conflict, Unavailable
from adapters.mongo import (
    IndexModel,
    Mongo,
    Session,
    UpdateOne,
    ensure_indexes,
    expect_last,
    find,
    insert_new,
    translating,
    update_last,
)
from orchestrator import listed
from orchestrator.core.state import SagaState, Status
from orchestrator.documents import (
    Change,
    Document,
    Past,
    array_filters,
    from_document,
    history_from,
    to_document,
    to_reschedule,
    to_update,
)
from orchestrator.due import BY_WAKE_UP, behind, chosen
from orchestrator.listed import NEWEST_FIRST, Page, Place, Query
from orchestrator.shares import WHOLE, Share

log = structlog.get_logger(__name__)

NEWEST_ENTRY = {"history": {"$slice": -1}}
COLLECTION = "sagas"
INDEXES = (
    *listed.INDEXES,
    IndexModel(BY_WAKE_UP, name="wake_at", partialFilterExpression={"wake_at": {"$exists": True}}),
)
UNREADABLE_PAUSE = timedelta(minutes=5)  #: when the timer of a document that is no saga is looked at again


@dataclass(frozen=True, slots=True)
class InFlight:
    """How many sagas that have not ended began with a definition."""

    saga: str
    version: int
    fingerprint: str
    count: int


class SagaStore(Protocol):
    """Where sagas are kept. Every call raises `Unavailable` while the store is away."""

    async def insert(self, states: Sequence[SagaState]) -> Sequence[SagaState | None]:
        """Add new sagas, durably. For each: None, or the saga that has its id already."""
        ...

    async def load(self, ids: Sequence[str]) -> dict[str, SagaState]:
        """The sagas that exist, by id, as a majority has them."""
        ...

    async def history(self, saga_id: str) -> Past | None:
        """One saga with its history; None where it doesn't exist."""
        ...

    async def save(self, changes: Sequence[Change]) -> set[str]:
        """Save what nobody else has changed since; the ids that were saved. After `Unavailable` nothing is known."""
        ...

    async def reschedule(self, moves: Sequence[tuple[SagaState, SagaState]]) -> None:
        """Move wake-ups from what they were (before) to what they are to be (after), without a new revision."""
        ...

    async def due(self, now: datetime, limit: int, share: Share = WHOLE) -> list[SagaState]:
        """Sagas whose wake-up time has come, those that the share chooses, the longest overdue first."""
        ...

    async def awaiting(self, after: SagaState | None, limit: int, until: datetime) -> list[SagaState]:
        """Sagas with a pending command, by wake-up time and id, behind `after`.

        Of those that have not changed after `until`. One whose wake-up moves meanwhile may be missed: whoever moved it
        has just sent its command.
        """
        ...

    async def page(self, query: Query) -> Page:
        """One page of sagas, found among no more of them than `listed` says."""
        ...

    async def count_active(self, limit: int) -> int:
        """How many sagas have a timer set, counted up to `limit`."""
        ...

    async def in_flight(self) -> Sequence[InFlight]:
        """The definitions that sagas which have not ended began with."""
        ...

    async def ping(self) -> None:
        """Raises `Unavailable` unless the store can be written to."""
        ...


class MongoSagaStore:
    """The collection `sagas`."""

    def __init__(self, mongo: Mongo, database: str, rng: random.Random) -> None:
        self._mongo = mongo
        self._database = mongo.database(database)
        self._sagas = self._database[COLLECTION]
        self._rng = rng

    async def prepare(self) -> None:
        """Make the indexes."""
        await ensure_indexes(self._sagas, INDEXES)

    async def insert(self, states: Sequence[SagaState]) -> Sequence[SagaState | None]:
        taken = await insert_new(self._sagas, [to_document(state) for state in states])
        if not taken:
            return [None] * len(states)
        there = await self.load([states[index].id for index in taken])
        if any(states[index].id not in there for index in taken):
            raise Unavailable("an id is taken by a document that can't be read")
        return [there[state.id] if index in taken else None for index, state in enumerate(states)]

    async def load(self, ids: Sequence[str]) -> dict[str, SagaState]:
        found = await self._find({"_id": {"$in": list(ids)}}, limit=len(ids))
        return {state.id: state for state in found}

    async def history(self, saga_id: str) -> Past | None:
        found = await find(self._sagas, {"_id": saga_id}, limit=1)
        return next((Past(state, history_from(found[0])) for state in _readable(found)), None)

    async def save(self, changes: Sequence[Change]) -> set[str]:
        """Save a batch in one transaction, which halves the cost of each update; its revisions are read once for all.

        Where somebody else has changed one of the sagas nothing of it is applied, and the batch is written unordered
        instead, each update on its own.
        """
        if len(changes) > 1:
            with suppress(Conflict):
                await self._mongo.transaction(lambda session: self._save_all(changes, session))
                return {change.after.id for change in changes}
        try:
            return await (self._save_each(changes) if len(changes) > 1 else self._save_one(*changes))
        except Conflict as conflict:
            raise Unavailable("MongoDB did not say which sagas were saved") from conflict

    async def _save_one(self, change: Change) -> set[str]:
        with translating():
            result = await self._sagas.update_one(*_guarded(change), array_filters=array_filters(change))
        return {change.after.id} if result.matched_count else set()

    async def _save_all(self, changes: Sequence[Change], session: Session) -> None:
        revisions = {change.before.id: change.before.revision for change in changes}
        expect_last(self._database, COLLECTION, "revision", revisions, session)
        update_last(self._database, COLLECTION, [_statement(change) for change in changes], session)

    async def _save_each(self, changes: Sequence[Change]) -> set[str]:
        """A token in each document tells afterwards who won: revision 7 may be ours or somebody else's."""
        token = f"{self._rng.getrandbits(64):016x}"
        with translating():
            result = await self._sagas.bulk_write([_marked(change, token) for change in changes], ordered=False)
        ids = [change.after.id for change in changes]
        if result.matched_count in (0, len(changes)):
            return set(ids) if result.matched_count else set()
        won = await find(self._sagas, {"_id": {"$in": ids}, "saved_by": token}, limit=len(ids), projection=["_id"])
        return {document["_id"] for document in won}

    async def reschedule(self, moves: Sequence[tuple[SagaState, SagaState]]) -> None:
        updates = [
            UpdateOne({"_id": before.id, "revision": before.revision, "wake_at": before.wake_at}, to_reschedule(after))
            for before, after in moves
        ]
        with translating():
            await self._sagas.bulk_write(updates, ordered=False)

    async def due(self, now: datetime, limit: int, share: Share = WHOLE) -> list[SagaState]:
        query: Document = {"wake_at": {"$lte": now}}
        index = "wake_at"
        if share != WHOLE:
            query["_id"], index = {"$in": await chosen(self._sagas, now, limit, share)}, "_id_"
        found = await self._documents(query, limit=limit, sort=BY_WAKE_UP, hint=index)
        states = _readable(found)
        if len(states) < len(found):  # A document that somebody broke must not stand before all other timers.
            broken = [document["_id"] for document in found if document["_id"] not in {state.id for state in states}]
            with translating():
                later = {"$set": {"wake_at": now + UNREADABLE_PAUSE}}
                await self._sagas.update_many({"_id": {"$in": broken}}, later)
        return states

    async def awaiting(self, after: SagaState | None, limit: int, until: datetime) -> list[SagaState]:
        query: Document = {"wake_at": {"$exists": True}, "pending.0": {"$exists": True}, "updated_at": {"$lte": until}}
        if after is not None:
            query["$or"] = behind(after.wake_at, after.id)
        return await self._find(query, limit=limit, sort=BY_WAKE_UP, hint="wake_at")

    async def page(self, query: Query) -> Page:
        by, until = listed.index_by_time(query), None
        if query.prefix is not None:
            having_it = await self._count(listed.beginning_with(query.prefix), query.most + 1, "_id_")
            if having_it <= query.most:
                return await self._page(query, listed.by_id(query), "_id_")
            until = await self._until(query, by)
        return await self._page(query, listed.by_time(query, until), by, until)

    async def _until(self, query: Query, by: str) -> Place | None:
        """The last one among which the prefix is looked for; None where fewer are left."""
        last: Document = {"skip": query.most - 1, "limit": 1, "projection": ["created_at"]}
        found = await find(self._sagas, listed.without_prefix(query), sort=NEWEST_FIRST, hint=by, **last)
        return listed.place_of(found[0]) if found else None

    async def _page(self, query: Query, wanted: Document, by: str, until: Place | None = None) -> Page:
        found = await self._documents(wanted, limit=query.limit + 1, sort=NEWEST_FIRST, hint=by)
        shown = found[: query.limit]
        return Page(_readable(shown), listed.place_of(shown[-1]) if len(found) > query.limit else until)

    async def count_active(self, limit: int) -> int:
        return await self._count({"wake_at": {"$exists": True}}, limit, "wake_at")

    async def in_flight(self) -> Sequence[InFlight]:
        not_ended = [status.value for status in Status if not status.ended]
        definition = {"saga": "$saga", "version": "$version", "fingerprint": "$fingerprint"}
        pipeline = [
            {"$match": {"status": {"$in": not_ended}}},
            {"$group": {"_id": definition, "count": {"$sum": 1}}},
        ]
        with translating():  # As a command: the drivers' `aggregate` differ.
            answer = await self._sagas.database.command(
                "aggregate", self._sagas.name, pipeline=pipeline, cursor={"batchSize": 1_000}
            )
        return [InFlight(**group["_id"], count=group["count"]) for group in answer["cursor"]["firstBatch"]]

    async def ping(self) -> None:
        await self._mongo.ping()

    async def _count(self, query: Document, limit: int, hint: str) -> int:
        with translating():
            return int(await self._sagas.count_documents(query, limit=limit, hint=hint))

    async def _find(self, query: Document, *, limit: int, **options: Any) -> list[SagaState]:
        return _readable(await self._documents(query, limit=limit, **options))

    async def _documents(self, query: Document, *, limit: int, **options: Any) -> list[Document]:
        return await find(self._sagas, query, limit=limit, projection=NEWEST_ENTRY, **options)


def _readable(documents: Sequence[Document]) -> list[SagaState]:
    """The states of those documents that are sagas. One that somebody has broken by hand must not stop the others."""
    states = []
    for document in documents:
        try:
            states.append(from_document(document))
        except (KeyError, IndexError, TypeError, ValueError) as error:
            log.error("saga-unreadable", saga_id=str(document["_id"]), exc_info=error)
    return states


def _guarded(change: Change) -> tuple[Document, Document]:
    """Which document is meant, and what becomes of it."""
    return {"_id": change.before.id, "revision": change.before.revision}, to_update(change)


def _statement(change: Change) -> Document:
    """Its revision has been looked at before."""
    return {"q": {"_id": change.before.id}, "u": to_update(change), "arrayFilters": array_filters(change) or []}


def _marked(change: Change, token: str) -> UpdateOne:
    which, becomes = _guarded(change)
    becomes["$set"]["saved_by"] = token
    return UpdateOne(which, becomes, array_filters=array_filters(change))
