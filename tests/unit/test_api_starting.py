"""Starts that come together: stored in one write, answered one by one, and never more waiting than allowed."""

import asyncio
from collections.abc import Sequence
from typing import Any

import structlog

from adapters.bus import Entry
from adapters.clock import SystemClock
from adapters.errors import Unavailable
from adapters.memory_bus import MemoryBus
from orchestrator.memory_store import MemorySagaStore
from support import eventually
from support.api import Api, problem, running


class SlowStore(MemorySagaStore):
    """Stores nothing before it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.go = asyncio.Event()
        self.batches: list[int] = []

    async def insert(self, states: Any) -> Any:
        self.batches.append(len(states))
        await self.go.wait()
        return await super().insert(states)


async def test_starts_that_come_together_are_stored_together() -> None:
    store = SlowStore()
    async with running(Api(store=store)) as api:
        first = asyncio.create_task(api.start())
        await eventually(lambda: store.batches == [1])
        rest = [asyncio.create_task(api.start()) for _ in range(50)]
        await eventually(lambda: api.starter.waiting == 51)
        store.go.set()
        assert {answer.status_code for answer in await asyncio.gather(first, *rest)} == {202}
        assert store.batches == [1, 50]


async def test_too_many_starts_waiting_to_be_stored_are_refused() -> None:
    store = SlowStore()
    async with running(Api(store=store, max_starting=3)) as api:
        waiting = [asyncio.create_task(api.start()) for _ in range(3)]
        await eventually(lambda: api.starter.waiting == 3)
        problem(await api.start(), "overloaded", 503)
        store.go.set()
        assert {answer.status_code for answer in await asyncio.gather(*waiting)} == {202}


async def test_a_client_that_goes_away_does_not_take_others_along() -> None:
    store = SlowStore()
    async with running(Api(store=store)) as api:
        gone, stays = (asyncio.create_task(api.start(id=name)) for name in ("gone", "stays"))
        await eventually(lambda: api.starter.waiting == 2)
        gone.cancel()
        store.go.set()
        assert (await stays).status_code == 202
        assert set(store.sagas) == {"gone", "stays"}


async def test_a_starter_that_stops_finishes_what_it_let_in() -> None:
    store = SlowStore()
    async with running(Api(store=store)) as api:
        let_in = asyncio.create_task(api.start())
        await eventually(lambda: store.batches)
        stopping = asyncio.create_task(api.starter.stop())
        await eventually(lambda: api.starter.stopped)
        problem(await api.start(), "overloaded", 503)
        assert not stopping.done()
        store.go.set()
        await stopping
        assert api.bus.server.entries(api.bus.streams.commands("inventory"))
        assert (await let_in).status_code == 202


async def test_who_waits_while_the_store_is_away_is_told_at_once() -> None:
    class Away(SlowStore):
        async def insert(self, states: Any) -> Any:
            self.away = True
            return await super().insert(states)

    store = Away()
    async with running(Api(store=store)) as api:
        first = asyncio.create_task(api.start())
        await eventually(lambda: store.batches)
        waiting = [asyncio.create_task(api.start()) for _ in range(3)]
        await eventually(lambda: api.starter.waiting == 4)
        store.go.set()
        assert [answer.status_code for answer in await asyncio.gather(first, *waiting)] == [503] * 4
        assert store.batches == [1]
        assert api.starter.waiting == 0


class SlowBus(MemoryBus):
    """Publishes nothing before it is let go."""

    def __init__(self) -> None:
        super().__init__(SystemClock())
        self.go = asyncio.Event()

    async def publish(self, entries: Sequence[Entry]) -> Sequence[Unavailable | None]:
        await self.go.wait()
        return await super().publish(entries)


async def test_what_cannot_be_announced_in_time_is_left_to_the_timers() -> None:
    bus = SlowBus()
    async with running(Api(bus=bus, max_starting=5)) as api:
        with structlog.testing.capture_logs() as logged:
            assert [(await api.start()).status_code for _ in range(9)] == [202] * 9
            bus.go.set()
            await eventually(lambda: any(line["event"] == "start-not-announced" for line in logged))
        assert [line["sagas"] for line in logged if line["event"] == "start-not-announced"] == [3]
        assert len(bus.server.entries(bus.streams.commands("inventory"))) == 6


async def test_an_error_of_the_store_reaches_each_caller_as_its_own() -> None:
    class Refusing(SlowStore):
        async def insert(self, states: Any) -> Any:
            await super().insert([])
            raise Unavailable("the store is away")

    store = Refusing()
    async with running(Api(store=store)) as api:
        waiting = [asyncio.create_task(api.start()) for _ in range(3)]
        await eventually(lambda: api.starter.waiting == 3)
        store.go.set()
        for answer in await asyncio.gather(*waiting):
            problem(answer, "unavailable", 503)
