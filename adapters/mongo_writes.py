"""The writes of a transaction, and what they expect, as MongoDB's own commands.

The driver's way to them, which can repeat and split, takes a third more calls, and one more object for each document.
In a transaction nothing can be repeated; and more than one command holds is so rare that it is noticed afterwards: the
transaction begins again, and writes in pieces.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from typing import Any, NamedTuple

import bson
from pymongo.errors import BulkWriteError, DocumentTooLarge
from pymongo.write_concern import WriteConcern

from adapters.errors import Conflict
from adapters.mongo_errors import translating

__all__ = [
    "DURABLE",
    "Document",
    "DocumentTooLarge",
    "Last",
    "expect_last",
    "finish_in_thread",
    "in_pieces",
    "insert_last",
    "take",
    "update",
    "update_last",
    "writing_last",
]

Document = dict[str, Any]

DURABLE = WriteConcern("majority", j=True)  #: of every write

PIECE_BYTES = 8 * 1024 * 1024  #: half of what a command may have; a document is never split


class Write(NamedTuple):
    """One command of a transaction."""

    database: Any
    command: Document
    documents: int  #: to so many it must apply

    def check(self, answer: Document) -> None:
        """Raises where it has not."""
        if _applied(answer) < self.documents:
            raise Conflict("a document has changed, or has gone")


class Expectation(NamedTuple):
    """One read of a transaction, and what it must show."""

    database: Any
    command: Document
    field: str
    values: Mapping[Any, Any]  #: by `_id`

    def check(self, answer: Document) -> None:
        """Raises where it shows something else."""
        if {document["_id"]: document.get(self.field) for document in answer["cursor"]["firstBatch"]} != self.values:
            raise Conflict("a document has changed, or has gone")


Last = list[Write | Expectation]  #: what a transaction does at its end, in order

_in_pieces: ContextVar[bool] = ContextVar("in_pieces", default=False)
_last: dict[int, Last] = {}  # of the transactions under way, by the identity of their session


def insert_last(database: Any, collection: str, documents: Sequence[Document], session: Any) -> None:
    """Insert all of them at the end of the session's transaction, just before its commit: nothing in it can read them.

    The transaction raises `Conflict` where an `_id` is taken; `KeyError` where its body has ended.
    """
    _last[id(session)].extend(_writes(database, {"insert": collection}, "documents", documents))


def update_last(database: Any, collection: str, updates: Sequence[Document], session: Any) -> None:
    """Apply them likewise, in order. Each has MongoDB's own fields: `q` and `u`.

    The transaction raises `Conflict` where one of them matches no document.
    """
    _last[id(session)].extend(_writes(database, {"update": collection}, "updates", updates))


def expect_last(database: Any, collection: str, field: str, values: Mapping[Any, Any], session: Any) -> None:
    """Expect these values of a field, by `_id`, at the end of the transaction; it raises `Conflict` where others are.

    So an update that follows can ask for the `_id` alone: whoever changes one of the documents in between is a write
    conflict. MongoDB takes a way of its own to a document by its `_id`; with another field in the filter it plans each
    update, which costs half as much again as looking first.
    """
    query = {"_id": {"$in": list(values)}}
    one_answer = {"batchSize": len(values), "singleBatch": True}
    command = {"find": collection, "filter": query, "projection": {field: 1}, **one_answer}
    _last[id(session)].append(Expectation(database, command, field, values))


@contextmanager
def writing_last(session: Any) -> Iterator[Last]:
    """Around the body of a transaction: what is to be done once it has ended."""
    last: Last = []
    _last[id(session)] = last
    try:
        yield last
    finally:
        del _last[id(session)]


async def finish_in_thread(threads: Executor, last: Last, session: Any) -> None:
    """Do what comes last, and commit, with Motor's session. Who is cancelled meanwhile is so when that has ended.

    A thread can't be stopped, and whoever ended its session meanwhile would have it write the rest without one.
    """
    blocking: Last = [one._replace(database=one.database.delegate) for one in last]
    # Whoever listens to commands knows by the context whose they are.
    inside = copy_context().run
    work = asyncio.get_running_loop().run_in_executor(threads, inside, _finish, blocking, session.delegate)
    cancelled = None
    while not work.done():
        try:
            await asyncio.wait((work,))
        except asyncio.CancelledError as error:
            cancelled = error
    failed = work.exception()  # Asked for in any case, or asyncio would log that nobody has.
    if cancelled is not None:
        raise cancelled
    if failed is not None:
        raise failed


def _finish(last: Last, session: Any) -> None:
    for one in last:
        one.check(one.database.command(one.command, session=session))
    session.commit_transaction()


async def update(database: Any, collection: str, updates: Sequence[Document], session: Any) -> int:
    """Apply them in order; how many documents matched. Each has MongoDB's own fields: `q` and `u`.

    Raises `DocumentTooLarge`: see `in_pieces`.
    """
    count = 0
    with translating():
        for write in _writes(database, {"update": collection}, "updates", updates):
            count += _applied(await database.command(write.command, session=session))
    return count


async def take(database: Any, collection: str, query: Document, change: Document, session: Any) -> Document | None:
    """Change the document that matches, in a transaction; the document as it was, None where there is none."""
    with translating():
        command = {"findAndModify": collection, "query": query, "update": change}
        found: Document | None = (await database.command(command, session=session))["value"]
        return found


@contextmanager
def in_pieces() -> Iterator[None]:
    """Within the block nothing is too large but a single document.

    A transaction can't go on after `DocumentTooLarge`: the driver has not sent what was to begin it.
    """
    token = _in_pieces.set(True)
    try:
        yield
    finally:
        _in_pieces.reset(token)


def _writes(database: Any, command: Document, field: str, documents: Sequence[Document]) -> Iterator[Write]:
    for piece in _pieces(documents) if _in_pieces.get() else (documents,):
        yield Write(database, {**command, field: piece}, len(piece))


def _applied(answer: Document) -> int:
    """To how many documents. The driver raises what a command has failed with, but not what its writes have."""
    if "writeErrors" in answer:
        raise BulkWriteError(answer)
    return int(answer["n"])


def _pieces(documents: Sequence[Document]) -> Iterator[Sequence[Document]]:
    begin = size = 0
    for index, document in enumerate(documents):
        grown = size + len(bson.encode(document))
        if grown > PIECE_BYTES and index > begin:
            yield documents[begin:index]
            begin, grown = index, grown - size
        size = grown
    yield documents[begin:]
