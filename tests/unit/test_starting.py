"""How starts are gathered: never one that is alone, and a few only while many come."""

import asyncio
from typing import Any

import pytest

from orchestrator.starting import BUSY, ENOUGH, LATELY, Starter
from orchestrator.work import Start
from sagas.order import order
from support import eventually
from support.clock import HeldClock
from support.engines import CountingStore, World

DATA = order.start({"customer_id": "alice", "items": [{"product_id": "boots", "quantity": 1}]})
GATHER_S = 0.1


class Entrance:
    def __init__(self) -> None:
        self.clock, self.store = HeldClock(), CountingStore()
        self.engine = World(clock=self.clock, store=self.store).engine
        self.engine.took_s = 2 * GATHER_S
        self.starter = Starter(self.engine, gather_s=GATHER_S)
        self._started = 0

    def start(self, count: int = 1) -> "asyncio.Task[Any]":
        numbers = range(self._started, self._started + count)
        self._started += count
        starts = [Start(order, f"s-{number}", DATA, request="") for number in numbers]
        return asyncio.create_task(self.starter.start(starts))


@pytest.fixture
def entrance() -> Entrance:
    return Entrance()


async def test_who_comes_alone_is_stored_at_once(entrance: Entrance) -> None:
    for _ in range(BUSY - 1):
        await entrance.start()
    assert entrance.clock.sleeping == []
    assert entrance.store.inserted == [1] * (BUSY - 1)


async def test_while_many_come_a_few_wait_for_others(entrance: Entrance) -> None:
    await entrance.start(BUSY)
    few = [entrance.start()]
    await eventually(lambda: entrance.clock.sleeping == [GATHER_S])
    few += [entrance.start() for _ in range(3)]
    await eventually(lambda: entrance.starter.waiting == 4)
    entrance.clock.woken.set()
    await asyncio.gather(*few)
    assert entrance.store.inserted == [BUSY, 4]


async def test_the_less_there_is_to_do_the_shorter_they_wait(entrance: Entrance) -> None:
    await entrance.start(BUSY)
    entrance.engine.took_s = GATHER_S / 10
    few = entrance.start()
    await eventually(lambda: entrance.clock.sleeping == [GATHER_S / 10])
    entrance.clock.woken.set()
    await few


async def test_many_wait_for_nobody(entrance: Entrance) -> None:
    await entrance.start(BUSY)
    await entrance.start(ENOUGH)
    assert entrance.clock.sleeping == []


async def test_what_came_some_time_ago_is_not_many(entrance: Entrance) -> None:
    await entrance.start(BUSY)
    entrance.clock.advance(2 * LATELY.total_seconds())
    await entrance.start()
    assert entrance.clock.sleeping == []
