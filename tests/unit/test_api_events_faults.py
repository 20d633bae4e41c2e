"""Listening to sagas over HTTP, and what goes wrong: garbage, servers that go away, too many listeners, an end."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from functools import partial

import httpx
import pytest
from starlette.types import Message

from orchestrator.api.guard import Limits
from orchestrator.documents import Change
from orchestrator.listeners import Room
from support import eventually
from support.api import Api, pointers, problem, running
from support.heard import ALL, NOW, ONE, WHOLE, Heard, hearing, is_silent
from support.listening import Hearing, listening
from support.metrics import Read
from support.orders import started, succeeded
from support.waiting import quiet


@pytest.fixture
async def heard() -> AsyncIterator[Heard]:
    async with hearing() as made:
        yield made


@pytest.mark.parametrize("path", [ONE, ALL])
async def test_what_is_no_event_id_is_refused(heard: Heard, path: str) -> None:
    await heard.api.start(id="a")
    for garbage in ("zz", "-1", "1.5", "8" * 5_000, "%00"):
        answer = await heard.client.get(path, headers={"Last-Event-ID": garbage})
        problem(answer, "invalid-request", 422)
        assert pointers(answer) == ["/Last-Event-ID"]


@pytest.mark.parametrize("query", ["status=done", "saga=No%20name", "max_s=0", "max_s=x", "limit=5"])
async def test_a_query_that_means_nothing_is_refused(heard: Heard, query: str) -> None:
    problem(await heard.client.get(f"{ALL}?{query}"), "invalid-request", 422)


@pytest.mark.parametrize("path", [ONE, ALL])
async def test_before_the_stream_begins_a_store_that_is_away_is_a_problem(heard: Heard, path: str) -> None:
    await heard.api.start(id="a")
    heard.api.store.away = True
    answer = await heard.client.get(path)
    problem(answer, "unavailable", 503)
    assert answer.headers["retry-after"]
    await is_silent(heard)


@pytest.mark.parametrize("path", [ONE, ALL])
async def test_a_store_that_goes_away_meanwhile_breaks_no_stream(heard: Heard, path: str) -> None:
    (state,) = [started("a", NOW).state]
    await heard.api.store.insert([state])
    async with heard.listening(path):
        heard.api.store.away = True
        pings = heard.hearing.pings
        await eventually(lambda: heard.hearing.pings > pings + 2)
        heard.api.store.away = False
        decision = succeeded(state, NOW)
        assert decision.transition is not None
        await heard.api.store.save([Change(state, decision.state, (decision.transition,))])
        await eventually(lambda: ("a", 2) in heard.hearing.transitions)


async def test_what_the_reader_has_lost_the_saga_itself_knows(heard: Heard) -> None:
    state = started("a", NOW).state
    await heard.api.store.insert([state])
    every = Hearing()
    async with heard.listening(ONE), listening(heard.client, ALL, every):
        decision = succeeded(state, NOW)
        assert decision.transition is not None
        await heard.api.store.save([Change(state, decision.state, (decision.transition,))])
        heard.api.store.changes.forget()  # Before the reader has had its turn.
        await eventually(lambda: heard.hearing.transitions == WHOLE[:2])
        await eventually(lambda: every.told("reset"))
        await heard.api.start(id="b")
        await eventually(lambda: every.transitions == [("b", 1)])
    assert not heard.hearing.told("reset")


async def test_what_was_lost_once_is_told_once_whatever_goes_away_later(heard: Heard) -> None:
    every = heard.hearing
    await heard.api.start(id="a")
    async with heard.listening(ALL):
        await heard.api.start(id="b")
        heard.api.store.changes.forget()
        await eventually(lambda: every.told("reset"))
        heard.api.store.away = True
        await eventually(lambda: heard.api.store.changes.open == 0)
        heard.api.store.away = False
        await heard.api.start(id="c")
        await eventually(lambda: every.transitions[-1:] == [("c", 1)])
        assert len(every.told("reset")) == 1


@pytest.mark.parametrize("path", [ONE, ALL])
async def test_a_stream_can_be_given_an_end(heard: Heard, path: str) -> None:
    await heard.api.start(id="a")
    assert await heard.to_the_end(path, max_s=1) == 200
    await is_silent(heard)


@pytest.mark.parametrize("path", [ONE, ALL])
async def test_a_service_that_stops_ends_its_streams(heard: Heard, path: str) -> None:
    await heard.api.start(id="a")
    ending = asyncio.create_task(heard.to_the_end(path))
    await eventually(lambda: heard.hearing.retry)
    heard.api.services.stopping.set()
    assert await asyncio.wait_for(ending, 5) == 200


async def test_many_listen_to_one_reader(heard: Heard) -> None:
    await heard.api.start(id="a")
    hearings = [Hearing() for _ in range(20)]
    blocks = [listening(heard.client, ALL if number % 2 else ONE, each) for number, each in enumerate(hearings)]
    for block in blocks:
        await block.__aenter__()
    assert (heard.api.listeners.count, heard.api.store.changes.open) == (20, 1)
    assert Read((await heard.client.get("/metrics")).text).value("saga_listeners") == 20
    heard.api.answering()
    await eventually(lambda: all(each.transitions[-3:] == WHOLE[1:] for each in hearings))
    page = Read((await heard.client.get("/metrics")).text)
    assert (page.value("saga_listener_events_total") or 0) >= 60
    for block in blocks:
        await block.__aexit__(None, None, None)
    await is_silent(heard)


async def test_beyond_the_limit_a_listener_is_told_to_come_later() -> None:
    async with hearing(Room(1)) as heard:
        async with heard.listening(ALL):
            answer = await heard.client.get(ALL)
            problem(answer, "overloaded", 503)
            assert answer.headers["retry-after"]
        await is_silent(heard)
        async with heard.listening(ALL):
            pass


async def test_listeners_take_no_request_from_the_others() -> None:
    async with hearing(limits=Limits(requests=1)) as heard, heard.listening(ALL):
        assert (await heard.client.get("/v1/sagas")).status_code == 200


def has_heard(hearing: Hearing, count: int) -> bool:
    return len(hearing.messages) == count


async def test_who_does_not_keep_up_is_cut_off_and_loses_nothing() -> None:
    slow, wide = Hearing(), "x" * 10_000
    async with hearing(Room(backlog=100, ping_s=0.05)) as heard, heard.listening(ALL):
        async with heard.client.stream("GET", ALL) as answer:  # And nothing is read of it.
            await eventually(lambda: heard.api.listeners.count == 2)
            told = 0
            while heard.api.listeners.count == 2:
                states = [started(f"saga-{number}", NOW).state for number in range(told, told + 50)]
                await heard.api.store.insert([replace(each, last=replace(each.last, code=wide)) for each in states])
                told += len(states)
                await eventually(partial(has_heard, heard.hearing, told))
            with suppress(httpx.RemoteProtocolError):  # It is closed in the middle, because it did not take the end.
                async for received in answer.aiter_bytes():
                    slow.take(received)
        slow.broke_off()
        assert 0 < len(slow.transitions) < len(heard.hearing.transitions)
        assert Read((await heard.client.get("/metrics")).text).value("saga_listeners_cut_off_total") == 1
        async with listening(heard.client, ALL, slow):
            await eventually(partial(has_heard, slow, told))
        assert slow.transitions == heard.hearing.transitions


async def test_who_sends_more_than_a_body_may_have_is_cut_off() -> None:
    asked = {"type": "http", "method": "GET", "path": "/v1/sagas/a/events", "query_string": b"", "headers": []}
    sent: list[Message] = []

    async def endless() -> Message:
        await quiet()
        return {"type": "http.request", "body": b" " * 1_000, "more_body": True}

    async def send(message: Message) -> None:
        sent.append(message)

    async with asyncio.timeout(10), running(Api(limits=Limits(body_bytes=10_000))) as api:
        await api.start(id="a")
        await api.app(asked, endless, send)
    assert sent[0]["status"] == 200
