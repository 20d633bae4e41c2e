"""What every keeper of dead letters promises: in memory, and on MongoDB through either driver."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from adapters.bus import Delivery
from adapters.mongo import Mongo
from orchestrator.dead_letters import DeadLetters, count_waiting, letter_id
from orchestrator.memory_dead_letters import MemoryDeadLetters
from support.clock import ManualClock

Keeper = DeadLetters | MemoryDeadLetters


@pytest.fixture
def clock() -> ManualClock:
    made = ManualClock()
    made.advance(timedelta(days=27_000).total_seconds())  # MongoDB removes what has expired by its own clock.
    return made


@pytest.fixture(params=["memory", "motor", "pymongo"])
async def letters(request: pytest.FixtureRequest, clock: ManualClock) -> AsyncIterator[Keeper]:
    if request.param == "memory":
        yield MemoryDeadLetters(clock)
        return
    mongo = Mongo.connect(request.getfixturevalue("mongo_url"), driver=request.param)
    made = DeadLetters(mongo, f"t{uuid4().hex[:8]}_orchestrator", clock)
    await made.prepare()
    yield made
    await mongo.close()


def entry(number: int) -> Delivery:
    return Delivery("saga.replies", f"1-{number}", {"subject": "s", "type": "t", "$a.b": "x\0y", "data": "{"})


async def test_a_dead_letter_is_there_with_all_it_held(letters: Keeper, clock: ManualClock) -> None:
    await letters(entry(1), "not JSON")
    await letters(entry(1), "again")
    (shown,) = await letters.page(None, 10)
    whole = await letters.get(letter_id("saga.replies", "1-1"))
    assert whole is not None
    assert (whole.stream, whole.entry_id, whole.at, whole.reason) == ("saga.replies", "1-1", clock.now(), "not JSON")
    assert (whole.saga_id, whole.type, whole.truncated, whole.redrives) == ("s", "t", False, 0)
    assert whole.fields == entry(1).fields
    assert shown == replace(whole, fields=None)


async def test_the_newest_come_first_page_by_page(letters: Keeper, clock: ManualClock) -> None:
    for number in range(5):
        await letters(entry(number), "r")
        clock.advance(number % 2)
    whole = await letters.page(None, 10)
    keys = [(letter.at, letter.id) for letter in whole]
    assert keys == sorted(keys, reverse=True)
    pages = [await letters.page(None, 2), await letters.page(keys[1], 2), await letters.page(keys[3], 2)]
    assert [letter for page in pages for letter in page] == list(whole)


async def test_a_redriven_one_says_when_and_by_whom(letters: Keeper, clock: ManualClock) -> None:
    await letters(entry(1), "r")
    found = letter_id("saga.replies", "1-1")
    later = clock.now() + timedelta(hours=1)
    await letters.mark_redriven(found, clock.now(), "somebody")
    await letters.mark_redriven(found, later, "ops")
    letter = await letters.get(found)
    assert letter is not None
    assert (letter.redrives, letter.redriven_at, letter.redriven_by) == (2, later, "ops")


async def test_those_wait_that_nobody_has_redriven_or_deleted(letters: Keeper, clock: ManualClock) -> None:
    assert await letters.waiting() == {}
    for number in range(4):
        await letters(entry(number), "r")
    await letters(Delivery("saga.events", "1-1", {}), "r")
    assert await letters.waiting() == {"saga.replies": 4, "saga.events": 1}
    await letters.mark_redriven(letter_id("saga.replies", "1-1"), clock.now(), "ops")
    await letters.delete(letter_id("saga.replies", "1-2"))
    await letters.delete(letter_id("saga.events", "1-1"))
    assert await letters.waiting() == {"saga.replies": 2}


async def test_a_deleted_one_is_gone(letters: Keeper) -> None:
    await letters(entry(1), "r")
    found = letter_id("saga.replies", "1-1")
    assert [await letters.delete(found), await letters.delete(found)] == [True, False]
    await letters.mark_redriven(found, datetime(2100, 1, 1, tzinfo=UTC), "ops")
    assert await letters.get(found) is None
    assert list(await letters.page(None, 10)) == []


async def test_many_that_wait_are_counted_up_to_a_bound_and_without_reading_one(
    mongo_url: str, clock: ManualClock
) -> None:
    mongo, name = Mongo.connect(mongo_url), f"t{uuid4().hex[:8]}_orchestrator"
    letters, database = DeadLetters(mongo, name, clock), mongo.database(name)
    await letters.prepare()
    for number in range(9):
        await letters(entry(number), "r")
    for number in range(3):
        await letters.mark_redriven(letter_id("saga.replies", f"1-{number}"), clock.now(), "ops")
    await database.command("profile", 2)
    assert await count_waiting(database, most=5) == {"saga.replies": 5}
    await database.command("profile", 0)
    (looked,) = await database["system.profile"].find({"command.aggregate": "dead_letters"}).to_list(2)
    assert (looked["keysExamined"], looked["docsExamined"]) == (5, 0)
    await mongo.close()


async def test_dead_letters_go_when_their_time_is_over(mongo_url: str, clock: ManualClock) -> None:
    mongo = Mongo.connect(mongo_url)
    database = f"t{uuid4().hex[:8]}_orchestrator"
    for days in (90, 5):  # The setting may change.
        await DeadLetters(mongo, database, clock, expiry_days=days).prepare()
        index = (await mongo.database(database).dead_letters.index_information())["expiry"]
        assert index["expireAfterSeconds"] == days * 86_400
    await mongo.close()
