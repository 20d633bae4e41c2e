"""Transactions that trying again does not help, on a real MongoDB: soon given up, because everybody else waits."""

from collections.abc import AsyncIterator, Sequence
from typing import cast

import pytest

from adapters.mongo import Driver
from participants.context import BatchTransaction
from participants.participant import Participant
from support.participants import TAKE, Take, Taken, action, outcome, replies_of
from support.participants_mongo import Fleet, fleet_on


@pytest.fixture(params=["motor", "pymongo"])
async def fleet(request: pytest.FixtureRequest, mongo_url: str) -> AsyncIterator[Fleet]:
    async with fleet_on(mongo_url, cast("Driver", request.param)) as fleet:
        yield fleet


async def test_a_transaction_that_mongodb_ends_by_itself_again_and_again_is_too_slow(fleet: Fleet) -> None:
    """As it does after `transactionLifetimeLimitSeconds`; here it is asked to."""
    bank, calls = Participant("bank"), list[int]()
    await fleet.database("bank").create_collection("effects")  # Two that both make it would meet.

    @bank.handles(TAKE, batch=True)
    async def take(commands: Sequence[Take], tx: BatchTransaction) -> Sequence[Taken]:
        calls.append(len(commands))
        await tx.database["effects"].insert_many([{"amount": each.amount} for each in commands], session=tx.session)
        if any(each.till == "slow" for each in commands):
            await tx.database.client.admin.command("killSessions", [tx.session.session_id])
        return [Taken(amount=each.amount) for each in commands]

    replies = await replies_of(fleet.instance(bank), action("s1"), action("s2", till="slow"))
    assert [outcome(reply) for reply in replies] == ["succeeded", "failed too-slow"]
    assert "transactionLifetimeLimitSeconds" in replies[1].data["detail"]
    assert sorted(calls) == [1] * 4 + [2] * 3
    assert await fleet.database("bank")["effects"].count_documents({}) == 1


async def test_a_key_of_the_handlers_that_is_there_already_fails_its_command_alone(fleet: Fleet) -> None:
    bank, calls = Participant("bank"), list[int]()
    await fleet.database("bank").create_collection("tills")

    @bank.handles(TAKE, batch=True)
    async def take(commands: Sequence[Take], tx: BatchTransaction) -> Sequence[Taken]:
        calls.append(len(commands))
        await tx.database["tills"].insert_many([{"_id": each.till} for each in commands], session=tx.session)
        return [Taken(amount=each.amount) for each in commands]

    service = fleet.instance(bank)
    await replies_of(service, action("s1", till="one"))
    calls.clear()
    replies = await replies_of(service, action("s2", till="one"), action("s3", till="two"))
    assert [outcome(reply) for reply in replies] == ["failed conflict", "succeeded"]
    assert sorted(calls) == [1] * 4 + [2] * 3
