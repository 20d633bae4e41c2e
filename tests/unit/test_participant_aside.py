"""Slow calls to the outside: they hold up nobody but those about the same action."""

import asyncio
from dataclasses import replace

import pytest

from adapters.bus import Ack, Later
from participants.context import Context
from participants.participant import AtOnce, Participant, Service
from support.participants import (
    TAKE,
    Bench,
    Take,
    Taken,
    action,
    deliveries,
    replies_of,
    revoke,
)
from support.waiting import eventually, quiet


class Outside:
    """Answers a call only when it is told to; counts those that wait."""

    def __init__(self) -> None:
        self.answer = asyncio.Event()
        self.waiting = 0
        self.most = 0

    async def call(self) -> None:
        self.waiting += 1
        self.most = max(self.most, self.waiting)
        try:
            await self.answer.wait()
        finally:
            self.waiting -= 1


@pytest.fixture
def outside() -> Outside:
    return Outside()


@pytest.fixture
def participant(outside: Outside) -> Participant:
    participant = Participant("bank")

    @participant.handles(TAKE, external=True)
    async def take(command: Take, context: Context) -> Taken:
        await outside.call()
        return Taken(amount=command.amount)

    return participant


@pytest.fixture
def bench(participant: Participant) -> Bench:
    return Bench(participant)


async def test_a_call_that_is_slow_holds_up_no_other_command(bench: Bench, outside: Outside) -> None:
    slow, quick = await bench.service.handle(deliveries([action("s1"), revoke("s2")]))
    assert isinstance(slow, Later)
    assert isinstance(quick, Ack)
    assert (await replies_of(bench.service, revoke("s3")))[0].outcome == "succeeded"

    outside.answer.set()
    assert isinstance(await slow.verdict, Ack)
    assert bench.inbox.rows["s1/take/action"].outcome == "succeeded"


async def test_what_is_about_the_same_action_waits_for_the_call(bench: Bench, outside: Outside) -> None:
    (call,) = await bench.service.handle(deliveries([action("s1")]))
    await eventually(lambda: outside.waiting == 1)
    repeated, revoked = await bench.service.handle(deliveries([action("s1"), revoke("s1")]))
    assert all(isinstance(each, Later) for each in (call, repeated, revoked))

    outside.answer.set()
    told = [await each.verdict for each in (call, repeated, revoked) if isinstance(each, Later)]

    assert outside.most == 1, "no second call beside the first"
    outcomes = [ack.publish[0].fields["outcome"] for ack in told if isinstance(ack, Ack)]
    assert outcomes == ["succeeded", "succeeded", "rejected"]


async def test_so_many_calls_are_made_side_by_side(participant: Participant, bench: Bench, outside: Outside) -> None:
    service = Service(participant, bench.inbox, bench.clock, at_once=AtOnce(external=3))
    given = await service.handle(deliveries([action(f"s{n}") for n in range(9)]))
    waiting = [asyncio.ensure_future(each.verdict) for each in given if isinstance(each, Later)]
    await eventually(lambda: outside.waiting == 3)

    outside.answer.set()
    await asyncio.gather(*waiting)

    assert (len(waiting), outside.most) == (9, 3)


async def test_what_comes_again_waits_for_its_turn_and_a_suspect_for_nobody(
    participant: Participant, bench: Bench, outside: Outside
) -> None:
    service = Service(participant, bench.inbox, bench.clock, at_once=AtOnce(external=1))
    waiting = []
    for saga_id, suspect in (("s1", False), ("s2", False), ("s3", True)):
        (again,) = [replace(each, redelivered=True, suspect=suspect) for each in deliveries([action(saga_id)])]
        (later,) = await service.handle([again])
        assert isinstance(later, Later)
        waiting.append(asyncio.ensure_future(later.verdict))
    await eventually(lambda: outside.waiting == 2)
    await quiet()
    assert outside.most == 2, "the first, and beside it the suspect"

    outside.answer.set()
    assert all(isinstance(verdict, Ack) for verdict in await asyncio.gather(*waiting))
