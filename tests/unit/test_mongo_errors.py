"""What an error of MongoDB says about the one who asked: nothing, mostly."""

import pytest
from pymongo.errors import BulkWriteError, DuplicateKeyError, OperationFailure, PyMongoError

from adapters.errors import Aborted, Conflict, Locked, Taken, Unavailable
from adapters.mongo import translating


@pytest.mark.parametrize("code", [13, 18, 43, 91, 134, 189, 8000, 10107, 11600, 14031], ids=lambda code: f"code {code}")
def test_a_server_that_refuses_everybody_is_away(code: int) -> None:
    """A participant must not answer `failed` for a rotated password or a full disk: orders would be compensated."""
    with pytest.raises(Unavailable), translating():
        raise OperationFailure("no", code)


def test_a_write_conflict_is_a_lock() -> None:
    with pytest.raises(Locked), translating():
        raise OperationFailure("conflict", 112)


@pytest.mark.parametrize(
    ("error", "meaning"),
    [
        (DuplicateKeyError("E11000", 11000), Taken),
        (BulkWriteError({"writeErrors": [{"code": 11000}]}), Taken),
        (OperationFailure("gone", 251), Aborted),
    ],
    ids=["key", "keys", "transaction"],
)
def test_a_conflict_says_of_what_kind_it_is(error: PyMongoError, meaning: type[Conflict]) -> None:
    with pytest.raises(meaning), translating():
        raise error


def test_what_is_nobodys_but_our_own_fault_passes_as_it_is() -> None:
    with pytest.raises(OperationFailure), translating():
        raise OperationFailure("unknown operator", 2)


@pytest.mark.parametrize(("code", "what"), [(18, "user name or password"), (13, "this user what was asked")])
def test_who_is_not_let_in_is_told_so(code: int, what: str) -> None:
    with pytest.raises(Unavailable, match=what), translating():
        raise OperationFailure("no", code)
