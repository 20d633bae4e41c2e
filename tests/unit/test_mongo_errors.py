"""What an error of MongoDB says about the one who asked: nothing, mostly."""

from typing import Any

import pytest
from pymongo.errors import OperationFailure

from adapters.errors import Locked, Unavailable
from adapters.mongo import Document, translating, update_one


@pytest.mark.parametrize("code", [13, 18, 43, 91, 134, 189, 8000, 10107, 11600, 14031], ids=lambda code: f"code {code}")
def test_a_server_that_refuses_everybody_is_away(code: int) -> None:
    """A participant must not answer `failed` for a rotated password or a full disk: orders would be compensated."""
    with pytest.raises(Unavailable), translating():
        raise OperationFailure("no", code)


def test_a_write_conflict_is_a_lock() -> None:
    with pytest.raises(Locked), translating():
        raise OperationFailure("conflict", 112)


def test_what_is_nobodys_but_our_own_fault_passes_as_it_is() -> None:
    with pytest.raises(OperationFailure), translating():
        raise OperationFailure("unknown operator", 2)


class Answering:
    """In place of a driver's database: a server that does what it is told, and says so much about it."""

    def __init__(self, answer: Document) -> None:
        self.answer = answer
        self.heard: Document = {}

    async def command(self, command: Document, **_: Any) -> Document:
        self.heard = command
        return self.answer


UPDATE = {"q": {"_id": "a"}, "u": {"$set": {"n": 1}}}


async def test_an_update_by_itself_is_durable_before_it_is_told() -> None:
    database = Answering({"ok": 1, "n": 1})
    assert await update_one(database, "sagas", UPDATE)
    assert database.heard["writeConcern"] == {"w": "majority", "j": True}


@pytest.mark.parametrize("code", [64, 91, 189], ids=lambda code: f"code {code}")
async def test_an_update_that_no_majority_has_confirmed_is_not_told_as_done(code: int) -> None:
    """The driver takes such an answer to a command for a good one: the update was applied, by this server."""
    with pytest.raises(Unavailable):
        await update_one(Answering({"ok": 1, "n": 1, "writeConcernError": {"code": code}}), "sagas", UPDATE)


async def test_an_update_that_meets_an_open_transaction_is_locked() -> None:
    with pytest.raises(Locked):
        await update_one(Answering({"ok": 1, "n": 0, "writeErrors": [{"code": 112}]}), "sagas", UPDATE)
