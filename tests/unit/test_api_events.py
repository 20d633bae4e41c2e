"""Listening to sagas over HTTP: every transition once, whatever breaks in between."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from orchestrator.documents import HISTORY_LIMIT, Change
from support import eventually
from support.api import problem
from support.heard import ALL, NOW, ONE, WHOLE, Heard, hearing, is_silent
from support.listening import Hearing, listening
from support.orders import started


@pytest.fixture
async def heard() -> AsyncIterator[Heard]:
    async with hearing() as made:
        yield made


# -- one saga ----------------------------------------------------------------------------------------------------------


async def test_a_saga_is_told_from_its_start_to_its_end(heard: Heard) -> None:
    await heard.api.start(id="a")
    async with heard.listening(ONE):
        await eventually(lambda: heard.hearing.transitions == WHOLE[:1])
        heard.api.answering()
        await eventually(lambda: heard.hearing.told("end"))
    assert heard.hearing.transitions == WHOLE
    assert [message.id for message in heard.hearing.messages] == ["1", "2", "3", "4", "4"]
    assert heard.hearing.messages[-1].data == "completed"
    assert heard.hearing.retry == "2000"
    shown = heard.hearing.told()[1].json
    assert shown.pop("at").endswith("Z")
    assert shown == {
        "saga_id": "a",
        "saga": "order",
        "version": 1,
        "revision": 2,
        "status": "running",
        "step": "reserve-stock",
        "attempt": 1,
        "code": None,
        "events": ["step-succeeded"],
    }
    await is_silent(heard)


async def test_the_answer_has_the_headers_of_a_stream(heard: Heard) -> None:
    await heard.api.start(id="a")
    async with heard.client.stream("GET", ONE) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert (answer.headers["cache-control"], answer.headers["x-accel-buffering"]) == ("no-store", "no")
        assert "x-request-id" in answer.headers


async def test_who_has_seen_a_part_is_told_the_rest(heard: Heard) -> None:
    heard.api.answering()
    await heard.api.start(id="a")
    await eventually(lambda: heard.api.store.sagas["a"].status.ended)
    heard.hearing.last_id = "2"
    assert await heard.to_the_end(ONE) == 200
    assert heard.hearing.transitions == WHOLE[2:]
    assert await heard.to_the_end(ONE) == 204  # A browser does not come back after that.
    assert not heard.api.store.changes.open


async def test_an_unknown_saga_is_not_found_and_nothing_is_opened(heard: Heard) -> None:
    for saga_id in ("nobody", "no%20id", "x" * 65):
        problem(await heard.client.get(f"/v1/sagas/{saga_id}/events"), "saga-not-found", 404)
    await is_silent(heard)


async def test_a_history_that_was_capped_begins_with_a_reset(heard: Heard) -> None:
    state = started("a", NOW).state
    await heard.api.store.insert([state])
    entries = tuple(replace(state.last, revision=number) for number in range(2, HISTORY_LIMIT + 4))
    await heard.api.store.save([Change(state, replace(state, revision=HISTORY_LIMIT + 3, last=entries[-1]), entries)])
    async with heard.listening(ONE):
        await eventually(lambda: len(heard.hearing.messages) == HISTORY_LIMIT + 1)
    assert (heard.hearing.messages[0].event, heard.hearing.messages[0].json) == ("reset", {"truncated_before": 4})
    assert heard.hearing.transitions == [("a", number) for number in range(4, HISTORY_LIMIT + 4)]


async def test_a_revision_that_never_was_is_told_everything_anew(heard: Heard) -> None:
    await heard.api.start(id="a")
    heard.hearing.last_id = "77"
    async with heard.listening(ONE):
        await eventually(lambda: heard.hearing.transitions == WHOLE[:1])
    assert heard.hearing.messages[0].event == "reset"


# -- all sagas ---------------------------------------------------------------------------------------------------------


async def test_every_saga_is_told_from_now_on(heard: Heard) -> None:
    await heard.api.start(id="before")
    async with heard.listening(ALL):
        heard.api.answering()
        await heard.api.start(id="a")
        await eventually(lambda: ("a", 4) in heard.hearing.transitions)
    assert [told for told in heard.hearing.transitions if told[0] == "a"] == WHOLE
    assert ("before", 1) not in heard.hearing.transitions
    await is_silent(heard)


async def test_who_comes_back_is_told_what_was_missed(heard: Heard) -> None:
    async with heard.listening(ALL):
        await heard.api.start(id="a")
        await eventually(lambda: heard.hearing.transitions == [("a", 1)])
    await is_silent(heard)
    await heard.api.start(id="b")
    async with heard.listening(ALL):
        await heard.api.start(id="c")
        await eventually(lambda: len(heard.hearing.transitions) == 3)
    assert heard.hearing.transitions == [("a", 1), ("b", 1), ("c", 1)]


async def test_who_has_heard_nothing_yet_can_come_back_too(heard: Heard) -> None:
    async with heard.listening(ALL):
        pass
    await heard.api.start(id="a")
    async with heard.listening(ALL):
        await eventually(lambda: heard.hearing.transitions == [("a", 1)])


async def test_only_what_is_asked_for_is_told(heard: Heard) -> None:
    async with heard.listening(ALL, saga="order", status="completed"):
        heard.api.answering()
        await heard.api.start(id="a")
        await eventually(lambda: heard.hearing.transitions == WHOLE[3:])
    other = Hearing()
    async with listening(heard.client, ALL, other, saga="other"):
        await heard.api.start(id="b")
        await eventually(lambda: other.pings > 2)
    assert other.messages == []


async def test_while_nothing_is_told_the_position_moves_on(heard: Heard) -> None:
    """Else it would grow too old, and who comes back after a quiet week could not go on."""
    async with heard.listening(ALL, saga="other"):
        first = await eventually(lambda: heard.hearing.last_id)
        await heard.api.start(id="a")
        await eventually(lambda: heard.hearing.last_id > first)
    assert heard.hearing.messages == []


async def test_a_position_that_is_forgotten_begins_anew_with_a_reset(heard: Heard) -> None:
    heard.hearing.last_id = f"{0:020X}"
    await heard.api.start(id="b")
    heard.api.store.changes.forget()
    async with heard.listening(ALL):
        await eventually(lambda: heard.hearing.told("reset"))
        await heard.api.start(id="a")
        await eventually(lambda: heard.hearing.transitions == [("a", 1)])


async def test_a_position_ahead_of_everything_begins_anew_with_a_reset(heard: Heard) -> None:
    heard.hearing.last_id = "F" * 20
    async with heard.listening(ALL):
        await eventually(lambda: heard.hearing.told("reset"))
        await heard.api.start(id="a")
        await eventually(lambda: heard.hearing.transitions == [("a", 1)])
