"""The writes of a transaction, as MongoDB's own commands.

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

from adapters.mongo_errors import translating

__all__ = ["Document", "DocumentTooLarge", "in_pieces", "insert", "update"]

Document = dict[str, Any]

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
            answer = await database.command({**command, field: piece}, session=session)
            if "writeErrors" in answer:
                raise BulkWriteError(answer)
        count += answer["n"]
    return count


def _pieces(documents: Sequence[Document]) -> Iterator[Sequence[Document]]:
    begin = size = 0
    for index, document in enumerate(documents):
        grown = size + len(bson.encode(document))
        if grown > PIECE_BYTES and index > begin:
            yield documents[begin:index]
            begin, grown = index, grown - size
        size = grown
    yield documents[begin:]
