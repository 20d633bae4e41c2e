"""The writes of the hot path, as MongoDB's own commands.

The driver's way to them, which can repeat and split, takes a third more calls, and one more object for each document.
In a transaction nothing can be repeated; and more than one command holds is so rare that it is noticed afterwards: the
transaction begins again, and writes in pieces.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import bson
from pymongo.errors import BulkWriteError, DocumentTooLarge
from pymongo.write_concern import WriteConcern

from adapters.mongo_errors import translating

__all__ = ["DURABLE", "Document", "DocumentTooLarge", "in_pieces", "insert", "take", "update", "update_one"]

Document = dict[str, Any]

DURABLE = WriteConcern("majority", j=True)  #: of every write

PIECE_BYTES = 8 * 1024 * 1024  #: half of what a command may have; a document is never split

_in_pieces: ContextVar[bool] = ContextVar("in_pieces", default=False)


async def insert(database: Any, collection: str, documents: Sequence[Document], session: Any) -> None:
    """Insert all of them. Raises `Conflict` where an `_id` is taken, and `DocumentTooLarge`: see `in_pieces`."""
    await _write(database, {"insert": collection}, "documents", documents, session)


async def update(database: Any, collection: str, updates: Sequence[Document], session: Any) -> int:
    """Apply them in order; how many documents matched. Each has MongoDB's own fields: `q` and `u`.

    Raises `DocumentTooLarge`: see `in_pieces`.
    """
    return await _write(database, {"update": collection}, "updates", updates, session)


async def update_one(database: Any, collection: str, statement: Document) -> bool:
    """Apply one update, by itself and durably; whether a document matched. It has MongoDB's own fields: `q`, `u` etc.

    The driver repeats nothing here: whoever gets `Unavailable` looks at what is there before going on.
    """
    with translating():
        command = {"update": collection, "updates": [statement], "writeConcern": DURABLE.document}
        return _applied(await database.command(command)) > 0


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


async def _write(database: Any, command: Document, field: str, documents: Sequence[Document], session: Any) -> int:
    count = 0
    for piece in _pieces(documents) if _in_pieces.get() else (documents,):
        with translating():
            count += _applied(await database.command({**command, field: piece}, session=session))
    return count


def _applied(answer: Document) -> int:
    """To how many documents. The driver raises what a command has failed with, but not what its writes have."""
    unconfirmed = [answer["writeConcernError"]] if "writeConcernError" in answer else []
    if unconfirmed or "writeErrors" in answer:
        raise BulkWriteError({**answer, "writeConcernErrors": unconfirmed})
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
