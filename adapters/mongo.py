"""MongoDB: with the other modules mongo_….py the only place that names the driver, but for what sets a server up.

Motor is the driver; PyMongo's own async client is a drop-in second one (the contract suites run on both). The few
calls in which they differ are wrapped here. The driver's errors leave it only as those of adapters/errors.py.
"""

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import Any, Literal, TypeVar

from bson import ObjectId
from bson.codec_options import CodecOptions
from motor.motor_asyncio import AsyncIOMotorClient
from pymongo import ASCENDING, DESCENDING, AsyncMongoClient, IndexModel, InsertOne, UpdateOne
from pymongo.errors import BulkWriteError, OperationFailure, PyMongoError
from pymongo.read_concern import ReadConcern
from pymongo.read_preferences import ReadPreference

from adapters.errors import Conflict, Unavailable
from adapters.mongo_errors import DUPLICATE_KEY, STANDALONE, UNKNOWN_COMMIT, NoSessions, following, translating
from adapters.mongo_writes import (
    DURABLE,
    Document,
    DocumentTooLarge,
    Last,
    expect_last,
    finish_in_thread,
    in_pieces,
    insert_last,
    take,
    update,
    update_last,
    writing_last,
)

#: Passed on; what is made here needs no list.
__all__ = [
    "ASCENDING",
    "DESCENDING",
    "Document",
    "IndexModel",
    "InsertOne",
    "UpdateOne",
    "expect_last",
    "following",
    "insert_last",
    "take",
    "translating",
    "update",
    "update_last",
]

T = TypeVar("T")
Session = Any  #: the driver's session: Motor's and PyMongo's have no common type
Database = Any  #: the driver's database, likewise
Collection = Any  #: the driver's collection, likewise
Driver = Literal["motor", "pymongo"]

UNAUTHORIZED = 13
NAMESPACE_NOT_FOUND = 26
INDEX_CHANGED_CODES = frozenset({85, 86})  #: IndexOptionsConflict, IndexKeySpecsConflict
COMMIT_TRIES = 5  #: a commit whose outcome is unknown is repeated; MongoDB applies it at most once
SERVER_SELECTION_MS = 2_000  #: how long one call waits for a primary before it is `Unavailable`
SOCKET_TIMEOUT_MS = 10_000
HEARTBEAT_MS = 2_000  #: between looks at a server; one that has said that it shuts down is not asked before the next
POOL_SIZE = 50
SNAPSHOT = ReadConcern("snapshot")


class Mongo:
    """One client. Lazy: making it never blocks and never fails, calls raise `Unavailable`."""

    def __init__(self, client: Any, driver: Driver) -> None:
        self._client = client
        self.driver = driver
        self._sessions: list[Session] = []  # made by transactions that went well, for the next ones
        # Not the event loop's own threads: those look names up, and a commit that waits for one holds its locks.
        self._threads = ThreadPoolExecutor(POOL_SIZE, thread_name_prefix="commit")

    @classmethod
    def connect(cls, url: str, *, driver: Driver = "motor", app_name: str = "saga") -> "Mongo":
        """A client for `url`, majority and journaled writes, majority reads from the primary, times in UTC."""
        options: dict[str, Any] = {
            "appname": app_name,
            "maxPoolSize": POOL_SIZE,
            "serverSelectionTimeoutMS": SERVER_SELECTION_MS,
            "socketTimeoutMS": SOCKET_TIMEOUT_MS,
            "heartbeatFrequencyMS": HEARTBEAT_MS,
            "tz_aware": True,
        }
        client: Any = AsyncIOMotorClient(url, **options) if driver == "motor" else AsyncMongoClient(url, **options)
        return cls(client, driver)

    def database(self, name: str) -> Database:
        """The driver's database object, with the guarantees that every promise here rests on."""
        return self._client.get_database(
            name,
            codec_options=CodecOptions(tz_aware=True, tzinfo=UTC),
            read_preference=ReadPreference.PRIMARY,
            write_concern=DURABLE,
            read_concern=ReadConcern("majority"),
        )

    async def ping(self) -> None:
        """Raises `Unavailable` unless a primary answers, of a replica set or through a mongos."""
        with translating():
            hello = await self._client.admin.command("hello")
        if not hello.get("isWritablePrimary"):
            raise Unavailable("MongoDB has no primary")
        if "setName" not in hello and hello.get("msg") != "isdbgrid":
            raise Unavailable(STANDALONE)

    async def close(self) -> None:
        """Close every connection."""
        self._threads.shutdown(wait=False)
        closing = self._client.close()
        if inspect.isawaitable(closing):  # PyMongo's is a coroutine, Motor's is not.
            await closing

    async def transaction(self, body: Callable[[Session], Awaitable[T]]) -> T:
        """Run `body` in one transaction and commit it.

        Raises `Conflict` where nothing was applied and the caller may start over (bounded), `Unavailable` where
        MongoDB is away or the outcome of the commit is unknown. Any other exception of `body` aborts and passes. It may
        be run twice: more than one command holds is written in pieces.
        """
        try:
            session = self._sessions.pop() if self._sessions else await self._start_session()
            try:
                result = await self._in_transaction_or_pieces(session, body)
            except BaseException:
                await session.end_session()
                raise
        except NoSessions:
            await self._drop_connections()
            raise
        self._sessions.append(session)
        return result

    async def _in_transaction_or_pieces(self, session: Session, body: Callable[[Session], Awaitable[T]]) -> T:
        try:
            return await self._in_transaction(session, body)
        except DocumentTooLarge:
            with in_pieces():
                return await self._in_transaction(session, body)

    async def _in_transaction(self, session: Session, body: Callable[[Session], Awaitable[T]]) -> T:
        with translating():
            await self._begin(session)
            try:
                with writing_last(session) as last:
                    result = await body(session)
                await self._finish(session, last)
            except BaseException:
                await self._abort(session)
                raise
            return result

    async def _finish(self, session: Session, last: Last) -> None:
        """Do what comes last, and commit. Each call of Motor's wakes a thread, which wakes us: this is one call."""
        if self.driver == "pymongo" or not last:
            for one in last:
                one.check(await one.database.command(one.command, session=session))
            await self._commit(session)
            return
        try:
            await finish_in_thread(self._threads, last, session)
        except PyMongoError as error:
            if not error.has_error_label(UNKNOWN_COMMIT):
                raise
            await self._commit(session, COMMIT_TRIES - 1)

    async def _drop_connections(self) -> None:
        """Make new ones. The driver would take the same one again and again, and has no public way to tell it."""
        client = self._client.delegate if self.driver == "motor" else self._client
        for server in list(client._topology._servers.values()):  # noqa: SLF001
            resetting = server.pool.reset()
            if inspect.isawaitable(resetting):
                await resetting

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Session]:
        """A session of the caller's own, for calls that belong together: what it reads is never older than it knows."""
        session = await self._start_session(causal=True)
        try:
            yield session
        finally:
            await session.end_session()

    async def _start_session(self, *, causal: bool = False) -> Session:
        """Without causal consistency a call costs less, and a transaction needs none: its snapshot is a majority's."""
        with translating():
            starting = self._client.start_session(causal_consistency=causal)
            return await starting if inspect.isawaitable(starting) else starting

    async def _begin(self, session: Session) -> None:
        starting = session.start_transaction(
            read_concern=SNAPSHOT, write_concern=DURABLE, read_preference=ReadPreference.PRIMARY
        )
        if inspect.isawaitable(starting):  # PyMongo's is a coroutine, Motor's is not.
            await starting

    async def _abort(self, session: Session) -> None:
        # Where this fails the server aborts it by itself; the error that led here is the one to report.
        with suppress(PyMongoError):
            await session.abort_transaction()

    async def _commit(self, session: Session, tries: int = COMMIT_TRIES) -> None:
        for tries_left in reversed(range(tries)):
            try:
                await session.commit_transaction()
                return
            except PyMongoError as error:
                if not error.has_error_label(UNKNOWN_COMMIT) or not tries_left:
                    raise


async def find(
    collection: Collection, query: Mapping[str, Any], *, limit: int, session: Session = None, **options: Any
) -> list[Document]:
    """At most `limit` documents in one list."""
    with translating():
        cursor = collection.find(query, limit=limit, batch_size=limit, session=session, **options)  # One round trip.
        return list(await cursor.to_list(limit))


def made_before(at: datetime) -> Mapping[str, Any]:
    """Matches an `_id` that MongoDB or a driver has made before then: those begin with their time, to the second."""
    return {"$lt": ObjectId.from_datetime(at)}


async def insert_new(collection: Collection, documents: Sequence[Document]) -> set[int]:
    """Insert all of them; the positions of those whose `_id` is taken already. The others are in, durably."""
    try:
        with translating():
            try:
                await collection.insert_many(list(documents), ordered=False)
            except BulkWriteError as error:
                return _taken(error)
    except Conflict as conflict:
        raise Unavailable("MongoDB was busy with the same documents") from conflict
    return set()


def _taken(error: BulkWriteError) -> set[int]:
    details = error.details or {}
    failures = details.get("writeErrors", [])
    if details.get("writeConcernErrors") or any(failure["code"] != DUPLICATE_KEY for failure in failures):
        raise error
    return {failure["index"] for failure in failures}


async def ensure_indexes(collection: Collection, indexes: Sequence[IndexModel]) -> None:
    """Make the indexes that are missing; one that another release defined otherwise under its name is made anew.

    A user that may not make any does very well while none is missing; else it is `Unavailable`, until somebody does.
    """
    missing = await missing_indexes(collection, indexes)
    for index in indexes:
        if missing is None or index.document["name"] in missing:
            await _make(collection, index)


async def _make(collection: Collection, index: IndexModel) -> None:
    with translating():
        try:
            await collection.create_indexes([index])
        except OperationFailure as error:
            if error.code == UNAUTHORIZED:
                where = f"{collection.database.name}.{collection.name}"
                said = f"{where} has no index {index.document['name']!r} as it should be, and this user may not make it"
                raise Unavailable(f"{said}: run `saga init`") from error
            if error.code not in INDEX_CHANGED_CODES:
                raise
            await collection.drop_index(index.document["name"])
            await collection.create_indexes([index])


async def missing_indexes(collection: Collection, indexes: Sequence[IndexModel]) -> list[str] | None:
    """The names of those that are not there as they should be; None where the collection itself is not there yet."""
    with translating():
        try:
            there = await collection.database.command("listIndexes", collection.name, cursor={"batchSize": 1_000})
        except OperationFailure as error:
            if error.code == NAMESPACE_NOT_FOUND:
                return None
            raise
    found = {index["name"]: index for index in there["cursor"]["firstBatch"]}
    return [index.document["name"] for index in indexes if not _is(index, found.get(index.document["name"], {}))]


def _is(wanted: IndexModel, found: Mapping[str, Any]) -> bool:
    """Whether the index has everything that is wanted; `expireAfterSeconds`, for one, is no part of every index."""
    in_order = list(found.get("key", {}).items()) == list(wanted.document["key"].items())
    return in_order and all(found.get(name) == value for name, value in wanted.document.items() if name != "key")
