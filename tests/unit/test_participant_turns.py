"""Batches of several partitions: one turn at a time, and what waits for it goes together."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest

from adapters.errors import Unavailable
from participants.context import BatchTransaction
from participants.participant import Participant
from participants.turns import Turns
from support.participants import TAKE, Bench, Take, Taken, action, deliveries


class Handler:
    """Remembers its turns; the first one lasts until `go` is set."""

    def __init__(self) -> None:
        self.turns: list[list[int]] = []
        self.go = asyncio.Event()
        self.failing = False
        self.stops_at: list[int] = []
        self.stopped = asyncio.Event()

    async def __call__(self, commands: Sequence[int]) -> list[str]:
        self.turns.append(list(commands))
        await self.go.wait()
        if self.stops_at == commands:
            await self.stopped.wait()
        if self.failing and len(self.turns) > 1:
            raise Unavailable("away")
        return [f"done {command}" for command in commands]


async def begun(handler: Handler, turns: Turns[int, str], *batches: list[int]) -> list[asyncio.Task[Sequence[str]]]:
    """The first batch has its turn, the others wait."""
    tasks = [asyncio.create_task(turns.together(batch)) for batch in batches]
    while not handler.turns:
        await asyncio.to_thread(int)
    return tasks


async def test_what_waits_for_a_turn_is_one_turn() -> None:
    handler = Handler()
    tasks = await begun(handler, Turns(handler), [1], [2, 3], [4])
    handler.go.set()
    assert await asyncio.gather(*tasks) == [["done 1"], ["done 2", "done 3"], ["done 4"]]
    assert handler.turns == [[1], [2, 3, 4]]


async def test_a_turn_has_a_limit() -> None:
    handler = Handler()
    tasks = await begun(handler, Turns(handler, limit=3), [1], [2, 3], [4, 5], [6])
    handler.go.set()
    await asyncio.gather(*tasks)
    assert handler.turns == [[1], [2, 3, 6], [4, 5]]


async def test_what_may_have_killed_a_process_has_no_company() -> None:
    handler = Handler()
    turns = Turns(handler)
    tasks = await begun(handler, turns, [1], [2])
    alone = asyncio.create_task(turns.alone([9]))
    handler.go.set()
    await asyncio.gather(*tasks, alone)
    assert handler.turns == [[1], [2], [9]]


async def test_what_was_delivered_before_has_no_company() -> None:
    handler = Handler()
    bank = Participant("bank")

    @bank.handles(TAKE, batch=True)
    async def take(commands: Sequence[Take], _tx: BatchTransaction) -> Sequence[Taken]:
        await handler([command.amount for command in commands])
        return [Taken(amount=command.amount) for command in commands]

    service = Bench(bank).service
    first, second, before = (deliveries([action(f"s{number}", amount=number)]) for number in (1, 2, 9))
    tasks = [asyncio.create_task(service.handle(first))]
    while not handler.turns:
        await asyncio.to_thread(int)
    again = [replace(delivery, redelivered=True) for delivery in before]
    tasks += [asyncio.create_task(service.handle(second)), asyncio.create_task(service.handle(again))]
    handler.go.set()
    await asyncio.gather(*tasks)
    assert sorted(handler.turns) == [[1], [2], [9]]


async def test_a_turn_that_fails_fails_for_all_of_it_and_the_next_one_comes() -> None:
    handler = Handler()
    turns = Turns(handler)
    tasks = await begun(handler, turns, [1], [2], [3])
    handler.failing = True
    handler.go.set()
    first, *others = await asyncio.gather(*tasks, return_exceptions=True)
    assert first == ["done 1"]
    assert all(isinstance(other, Unavailable) for other in others)
    handler.failing = False
    assert await turns.together([4]) == ["done 4"]


async def test_who_stops_waiting_is_not_taken_along() -> None:
    handler = Handler()
    tasks = await begun(handler, Turns(handler), [1], [2], [3])
    tasks[1].cancel()
    with pytest.raises(asyncio.CancelledError):
        await tasks[1]
    handler.go.set()
    await asyncio.gather(tasks[0], tasks[2])
    assert handler.turns == [[1], [3]]


async def test_who_was_taken_along_does_not_wait_for_the_next_turn() -> None:
    handler = Handler()
    turns = Turns(handler, limit=3)
    first, taken_along, too_many, last = await begun(handler, turns, [1], [2, 3], [4, 5, 6], [7])
    handler.stops_at = [4, 5, 6]
    handler.go.set()
    async with asyncio.timeout(30):
        answers = [await first, await taken_along, await last]
    assert answers == [["done 1"], ["done 2", "done 3"], ["done 7"]]
    assert not too_many.done()
    handler.stopped.set()
    assert await too_many == ["done 4", "done 5", "done 6"]
    assert await turns.together([8]) == ["done 8"]
