"""What a transaction writes last, with its commit: all of it or nothing, whatever happens on the way."""

import asyncio
from collections.abc import AsyncIterator
from contextvars import ContextVar
from pathlib import Path
from typing import Any, cast

import pytest
from pymongo import monitoring

from adapters.errors import Conflict, Unavailable
from adapters.mongo import COMMIT_TRIES, Driver, Mongo, Session, expect_last, find, insert_last, update_last
from chaos.real.servers import RealServers

NAME = "last"
WHOSE: ContextVar[str] = ContextVar("whose", default="nobody's")


class Heard(monitoring.CommandListener):
    """Whose each write is, as whoever traces the driver's commands hears it."""

    def __init__(self) -> None:
        self.writes: list[tuple[str, str]] = []

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        if event.command_name in ("insert", "commitTransaction"):
            self.writes.append((event.command_name, WHOSE.get()))

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        """Nothing: only whose it is matters."""

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        """Nothing, likewise."""


_HEARD = Heard()
monitoring.register(_HEARD)


@pytest.fixture
async def servers(server_directory: Path) -> AsyncIterator[RealServers]:
    servers = RealServers(server_directory, members=1)
    await asyncio.to_thread(servers.start)
    yield servers
    servers.kill()


@pytest.fixture(params=["motor", "pymongo"])
async def mongo(servers: RealServers, request: pytest.FixtureRequest) -> AsyncIterator[Mongo]:
    mongo = Mongo.connect(servers.mongo_url, driver=cast("Driver", request.param), app_name=NAME)
    await mongo.database(NAME).create_collection("numbers")
    yield mongo
    await mongo.close()


async def _there(mongo: Mongo) -> list[Any]:
    return sorted([found["_id"] async for found in mongo.database(NAME)["numbers"].find({})])


def _insert(mongo: Mongo, session: Session, *ids: int) -> None:
    for each in ids:
        insert_last(mongo.database(NAME), "numbers", [{"_id": each}], session)


async def test_an_update_that_meets_no_document_undoes_all_of_it(mongo: Mongo) -> None:
    async def body(session: Session) -> None:
        _insert(mongo, session, 1)
        update_last(mongo.database(NAME), "numbers", [{"q": {"_id": 2}, "u": {"$set": {"n": 1}}}], session)

    with pytest.raises(Conflict):
        await mongo.transaction(body)
    assert await _there(mongo) == []


@pytest.mark.parametrize("expected", [{1: 8}, {1: 7, 2: 7}], ids=["changed", "gone"])
async def test_what_is_not_as_expected_undoes_all_of_it(mongo: Mongo, expected: dict[int, int]) -> None:
    await mongo.database(NAME)["numbers"].insert_one({"_id": 1, "n": 7})

    async def body(session: Session) -> None:
        _insert(mongo, session, 3)
        expect_last(mongo.database(NAME), "numbers", "n", expected, session)

    with pytest.raises(Conflict):
        await mongo.transaction(body)
    assert await _there(mongo) == [1]


async def test_what_changes_after_it_was_as_expected_is_not_written_over(mongo: Mongo) -> None:
    """The update asks for the `_id` alone: MongoDB itself must see that the document is no more what was looked at."""
    numbers = mongo.database(NAME)["numbers"]
    await numbers.insert_one({"_id": 1, "n": 7})

    async def body(session: Session) -> None:
        await find(numbers, {"_id": 1}, limit=1, session=session)  # From here on it sees what was there now.
        await numbers.update_one({"_id": 1}, {"$set": {"n": 8}})
        expect_last(mongo.database(NAME), "numbers", "n", {1: 7}, session)
        update_last(mongo.database(NAME), "numbers", [{"q": {"_id": 1}, "u": {"$set": {"n": 100}}}], session)

    with pytest.raises(Conflict):
        await mongo.transaction(body)
    assert [found["n"] for found in await find(numbers, {}, limit=2)] == [8]


async def test_a_commit_whose_answer_is_lost_is_asked_for_again(mongo: Mongo, servers: RealServers) -> None:
    async def body(session: Session) -> str:
        _insert(mongo, session, 1, 2)
        return "done"

    lost = {"closeConnection": True}
    await servers.fail(["commitTransaction"], NAME, lost, times=2)  # The driver asks once more by itself.
    assert await mongo.transaction(body) == "done"
    assert await servers.stop_failing() == 2
    assert await _there(mongo) == [1, 2]


@pytest.mark.parametrize("last", [True, False])
async def test_a_commit_that_is_never_answered_is_no_success(mongo: Mongo, servers: RealServers, last: bool) -> None:
    async def body(session: Session) -> None:
        if last:
            _insert(mongo, session, 1)
        else:
            await mongo.database(NAME)["numbers"].insert_one({"_id": 1}, session=session)

    await servers.fail(["commitTransaction"], NAME, {"closeConnection": True}, times=1_000)
    with pytest.raises(Unavailable):
        await mongo.transaction(body)
    assert await servers.stop_failing() >= COMMIT_TRIES


@pytest.mark.parametrize("times", [1, 2])
async def test_what_is_given_up_in_the_middle_is_all_there_or_not_at_all(
    mongo: Mongo, servers: RealServers, times: int
) -> None:
    """A thread of ours can't be stopped: were its session ended meanwhile, it might write the rest without one."""
    gathered = asyncio.Event()

    async def body(session: Session) -> None:
        _insert(mongo, session, 1, 2, 3)
        gathered.set()

    await servers.fail(["insert"], NAME, {"blockConnection": True, "blockTimeMS": 500}, times=1)
    transaction = asyncio.create_task(mongo.transaction(body))
    await gathered.wait()
    for _ in range(times):
        transaction.cancel()
        await asyncio.wait((transaction,), timeout=0)
    await asyncio.wait((transaction,))
    assert await _there(mongo) in ([[1, 2, 3]] if mongo.driver == "motor" else [[], [1, 2, 3]])


async def test_whoever_traces_commands_hears_whose_they_are(mongo: Mongo) -> None:
    async def body(session: Session) -> None:
        WHOSE.set("ours")
        _insert(mongo, session, 1)

    _HEARD.writes.clear()
    await mongo.transaction(body)
    assert _HEARD.writes == [("insert", "ours"), ("commitTransaction", "ours")]


async def test_what_comes_when_the_transaction_has_ended_is_refused(mongo: Mongo) -> None:
    async def body(session: Session) -> Session:
        return session

    with pytest.raises(KeyError):
        _insert(mongo, await mongo.transaction(body), 1)
    assert await _there(mongo) == []
