"""What every inbox promises; the one in memory and the one in MongoDB, on both drivers."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import Any, cast
from uuid import uuid4

import pytest

from adapters.clock import SystemClock
from adapters.errors import Conflict, Unavailable
from adapters.mongo import Driver, Mongo
from participants.barrier import Row, announce
from participants.inbox import Inbox, InboxTransaction, MongoInbox, document_of, row_from
from participants.memory_inbox import MemoryInbox
from sagas.messages import Outcome
from support.participants import NOW, StillClock, action
from support.source import ROOT

EXPIRY = timedelta(days=90)
TRIES = 8


@pytest.fixture(params=["memory", "motor", "pymongo"])
async def inbox(request: pytest.FixtureRequest) -> AsyncIterator[Inbox]:
    if request.param == "memory":
        yield MemoryInbox(StillClock(), Random(0), tries=TRIES)
        return
    mongo = Mongo.connect(request.getfixturevalue("mongo_url"), driver=cast("Driver", request.param))
    name = f"t{uuid4().hex[:8]}_bank"
    yield MongoInbox(mongo, name, SystemClock(), Random(0), tries=TRIES)
    await mongo.database(name).client.drop_database(name)
    await mongo.close()


def row(number: int, **changes: Any) -> Row:
    command = action(f"s{number}", amount=number)
    succeeded = replace(announce(command, NOW, EXPIRY), outcome=Outcome.SUCCEEDED, reply={"amount": number})
    return replace(succeeded, **changes)


async def rows(inbox: Inbox, *ids: str) -> dict[str, Row]:
    async def read(tx: InboxTransaction) -> dict[str, Row]:
        return dict(await tx.rows(ids))

    return await inbox.atomically(read)


async def insert(inbox: Inbox, *new: Row) -> None:
    async def write(tx: InboxTransaction) -> None:
        await tx.insert(new)

    await inbox.atomically(write)


async def test_a_row_comes_back_as_it_went_in(inbox: Inbox) -> None:
    known = [
        row(1),
        row(2, outcome=None, reply={}),
        row(3, outcome=Outcome.REJECTED, tombstone=True),
        row(4, undone_by="s4/take/compensation"),
    ]
    await insert(inbox, *known)
    assert await rows(inbox, *(each.id for each in known), "unknown") == {each.id: each for each in known}


async def test_what_raises_has_written_nothing(inbox: Inbox) -> None:
    async def write(tx: InboxTransaction) -> None:
        await tx.insert([row(1)])
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await inbox.atomically(write)
    assert await rows(inbox, row(1).id) == {}


async def test_no_row_is_read_once_one_is_written(inbox: Inbox) -> None:
    """Rows are written when the transaction ends: what is read in between would be true in one of the inboxes only."""

    async def write(tx: InboxTransaction) -> None:
        await tx.insert([row(1)])
        await tx.rows([row(1).id])

    with pytest.raises(AssertionError):
        await inbox.atomically(write)
    assert await rows(inbox, row(1).id) == {}


async def test_a_row_is_inserted_and_replaced_in_one_transaction(inbox: Inbox) -> None:
    async def write(tx: InboxTransaction) -> None:
        await tx.insert([row(1)])
        await tx.replace([replace(row(1), undone_by="x")])

    await inbox.atomically(write)
    assert await rows(inbox, row(1).id) == {row(1).id: replace(row(1), undone_by="x")}


async def test_a_known_row_is_never_overwritten_by_an_insert(inbox: Inbox) -> None:
    await insert(inbox, row(1))
    with pytest.raises(Conflict):
        await insert(inbox, row(2), row(1, reply={"amount": 99}))
    assert await rows(inbox, row(1).id, row(2).id) == {row(1).id: row(1)}


async def test_more_rows_than_one_command_to_mongodb_can_hold_are_inserted_and_replaced(inbox: Inbox) -> None:
    long = [row(number, reply={"text": "x" * 400_000}) for number in range(50)]
    await insert(inbox, *long)

    async def write(tx: InboxTransaction) -> None:
        await tx.replace([replace(each, undone_by="x") for each in long])

    await inbox.atomically(write)
    assert {each.undone_by for each in (await rows(inbox, *(each.id for each in long))).values()} == {"x"}


async def test_a_missing_row_cannot_be_replaced(inbox: Inbox) -> None:
    await insert(inbox, row(1), row(3))

    async def write(tx: InboxTransaction) -> None:
        await tx.replace([row(number, undone_by="x") for number in (1, 2, 3)])

    with pytest.raises(Conflict):
        await inbox.atomically(write)
    assert await rows(inbox, *(row(number).id for number in (1, 2, 3))) == {row(1).id: row(1), row(3).id: row(3)}


async def test_a_conflict_starts_over_a_bounded_number_of_times(inbox: Inbox) -> None:
    calls = 0

    async def always(_tx: InboxTransaction) -> None:
        nonlocal calls
        calls += 1
        raise Conflict("again")

    with pytest.raises(Conflict):
        await inbox.atomically(always)
    assert calls == TRIES


async def test_unavailable_is_not_tried_again(inbox: Inbox) -> None:
    calls = 0

    async def away(_tx: InboxTransaction) -> None:
        nonlocal calls
        calls += 1
        raise Unavailable("away")

    with pytest.raises(Unavailable):
        await inbox.atomically(away)
    assert calls == 1


async def meet(inbox: Inbox, one: Row, other: Row) -> list[set[str]]:
    """Two transactions that each read both rows before either writes its own; what each saw in its last run."""
    seen: list[set[str]] = [set(), set()]
    have_read = [asyncio.Event(), asyncio.Event()]

    async def run(me: int, mine: Row) -> None:
        async def body(tx: InboxTransaction) -> None:
            seen[me] = set(await tx.rows([one.id, other.id]))
            have_read[me].set()
            await have_read[1 - me].wait()
            if mine.id not in seen[me]:
                await tx.insert([mine])

        await inbox.atomically(body)

    await asyncio.gather(run(0, one), run(1, other))
    return seen


async def test_of_two_that_insert_one_row_at_once_the_second_starts_over_and_sees_it(inbox: Inbox) -> None:
    await insert(inbox, row(9))
    seen = await meet(inbox, row(1, reply={"by": 0}), row(1, reply={"by": 1}))
    assert sorted(seen, key=len) == [set(), {row(1).id}]


async def test_two_that_insert_different_rows_at_once_both_commit(inbox: Inbox) -> None:
    """Write skew: the reason why a tombstone is the action's own row."""
    await insert(inbox, row(9))
    assert await meet(inbox, row(1), row(2)) == [set(), set()]
    assert set(await rows(inbox, row(1).id, row(2).id)) == {row(1).id, row(2).id}


async def test_of_two_that_replace_one_row_at_once_the_second_starts_over(inbox: Inbox) -> None:
    await insert(inbox, row(1))
    have_read = [asyncio.Event(), asyncio.Event()]
    runs = 0

    async def run(me: int) -> None:
        async def body(tx: InboxTransaction) -> None:
            nonlocal runs
            runs += 1
            found = (await tx.rows([row(1).id]))[row(1).id]
            have_read[me].set()
            await have_read[1 - me].wait()
            await tx.replace([replace(found, reply={"amount": found.reply["amount"] + 1})])

        await inbox.atomically(body)

    await asyncio.gather(run(0), run(1))
    assert runs >= 3
    assert (await rows(inbox, row(1).id))[row(1).id].reply == {"amount": 3}


def test_a_stored_row_can_be_read_by_a_person() -> None:
    assert document_of(row(1)) == {
        "_id": "s1/take/action",
        "saga_id": "s1",
        "step": "take",
        "kind": "action",
        "type": "bank.take",
        "outcome": "succeeded",
        "command": {"amount": 1},
        "reply": {"amount": 1},
        "at": NOW,
        "expire_at": NOW + EXPIRY,
    }
    assert row_from(document_of(row(1))) == row(1)


@pytest.mark.parametrize("driver", ["motor", "pymongo"])
async def test_mongodb_removes_rows_at_their_expiry(mongo_url: str, driver: Driver) -> None:
    mongo = Mongo.connect(mongo_url, driver=driver)
    name = f"t{uuid4().hex[:8]}_bank"
    await insert(MongoInbox(mongo, name, SystemClock(), Random(0)), row(1))
    indexes = await mongo.database(name)["inbox"].index_information()
    assert indexes["expire_at_1"]["expireAfterSeconds"] == 0
    await mongo.database(name).client.drop_database(name)
    await mongo.close()


async def test_rows_get_another_expiry_as_the_operating_page_says(mongo_url: str) -> None:
    mongo = Mongo.connect(mongo_url)
    name = f"t{uuid4().hex[:8]}_bank"
    inbox = MongoInbox(mongo, name, SystemClock(), Random(0))
    await insert(inbox, row(1), row(2, tombstone=True))
    said = re.search(r"db\.inbox\.updateMany\((.+)\) //", (ROOT / "docs" / "operating.md").read_text())
    assert said is not None
    query, pipeline = json.loads("[" + re.sub(r"(\$?\w+):", r'"\1":', said[1]) + "]")
    await mongo.database(name)["inbox"].update_many(query, pipeline)
    later = NOW + timedelta(days=180)
    assert await rows(inbox, row(1).id, row(2).id) == {
        row(1).id: row(1, expire_at=later),
        row(2).id: row(2, tombstone=True, expire_at=later),
    }
    await mongo.database(name).client.drop_database(name)
    await mongo.close()
