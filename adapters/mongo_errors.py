"""The driver's errors as ours (adapters/errors.py): what MongoDB can't do right now, and what others did meanwhile."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from pymongo.errors import (
    BulkWriteError,
    ConfigurationError,
    ConnectionFailure,
    DuplicateKeyError,
    ExecutionTimeout,
    OperationFailure,
    PyMongoError,
    WaitQueueTimeoutError,
)

from adapters.errors import Aborted, Conflict, Locked, PositionLost, Taken, Unavailable

ILLEGAL_OPERATION = 20
WRITE_CONFLICT = 112
NO_SUCH_TRANSACTION = 251
DUPLICATE_KEY = 11000
UNKNOWN_COMMIT = "UnknownTransactionCommitResult"  #: a label of errors

# Errors that say "this server can't right now", and nothing about what was asked of it: not primary, shutting down,
# stepped down, interrupted, cursor gone or killed, disk full, no permission or wrong password (13, 18, 8000), write
# concern not satisfied (the write may have been applied: the caller reads before it goes on).
# fmt: off
AWAY_CODES = frozenset({
    6, 7, 13, 18, 43, 50, 64, 79, 89, 91, 134, 189, 202, 234, 237, 262,
    8000, 9001, 10107, 11600, 11602, 13435, 13436, 14031,
})
# fmt: on
REFUSED = {13: "this user what was asked", 18: "this user name or password", 8000: "this user name or password"}

_TLS = re.compile(r"\[SSL: \w+\][^(,]{,200}")  #: without the place in C code where it was noticed

TO_MAKE_A_SET = (
    "Start mongod with `--replSet rs0`, run `rs.initiate()` in mongosh once, and write `?replicaSet=rs0` into "
    "SAGA_MONGO_URL"
)
#: It takes single writes as if nothing were wrong, and no transaction ever.
STANDALONE = f"MongoDB is a standalone server, which has no transactions. {TO_MAKE_A_SET}"


class NoSessions(Unavailable):
    """A connection was made while its server was starting: it can't do transactions, for as long as it lives."""


def _translate(error: PyMongoError) -> Exception:
    if isinstance(error, DuplicateKeyError):
        return Taken(str(error.code))
    if isinstance(error, BulkWriteError):
        return _translate_bulk(error)
    if error.has_error_label(UNKNOWN_COMMIT):
        return Unavailable("MongoDB did not say whether the transaction was committed")
    if isinstance(error, (ConnectionFailure, ExecutionTimeout, WaitQueueTimeoutError)):
        return Unavailable(f"MongoDB does not answer: {_reason(error)}")
    if isinstance(error, ConfigurationError):
        return NoSessions("MongoDB is not ready: for the moment it is no member of a replica set")
    return _translate_code(error, error.code if isinstance(error, OperationFailure) else None)


def _reason(error: PyMongoError) -> str:
    """The error's kind, and what TLS says. The rest of a driver's text is about each server, and long."""
    found = _TLS.search(str(error))
    return f"{type(error).__name__}: {found[0].strip()}" if found else type(error).__name__


def _translate_code(error: PyMongoError, code: int | None) -> Exception:
    if code == WRITE_CONFLICT:
        return Locked(str(code))
    if code == NO_SUCH_TRANSACTION:
        return Aborted(str(code))
    if error.has_error_label("TransientTransactionError"):
        return Conflict(str(code))
    if code == ILLEGAL_OPERATION and "Transaction numbers" in str(error):
        return Unavailable(STANDALONE)
    if code in REFUSED:
        return Unavailable(f"MongoDB refuses {REFUSED[code]} (code {code})")
    return Unavailable(f"MongoDB refuses for now: code {code}") if code in AWAY_CODES else error


def _translate_bulk(error: BulkWriteError) -> Exception:
    details = error.details or {}
    codes = {failure.get("code") for failure in details.get("writeErrors", [])}
    if WRITE_CONFLICT in codes:
        return Locked(str(WRITE_CONFLICT))
    if DUPLICATE_KEY in codes:
        return Taken(str(DUPLICATE_KEY))
    if error.has_error_label("TransientTransactionError"):
        return Conflict(str(sorted(code for code in codes if code)))
    if details.get("writeConcernErrors") or codes & AWAY_CODES:
        return Unavailable("MongoDB did not confirm a write")
    return error


class translating:  # noqa: N801 - used as if it were a function
    """Turns the driver's errors within its block into `Unavailable` or `Conflict`; what is neither passes as it is."""

    __slots__ = ()  # A class, because a generator for each call would cost five times as much.

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, at: object) -> None:
        if isinstance(error, PyMongoError) and (translated := _translate(error)) is not error:
            raise translated from error


@contextmanager
def following() -> Iterator[None]:
    """`translating` for a change stream that goes on from a position: what is refused for good, is because of it."""
    try:
        with translating():
            yield
    except OperationFailure as error:  # 286: older than the oplog; 280: of another collection; others: it never was.
        raise PositionLost(f"MongoDB can't go on from there: code {error.code}") from error
