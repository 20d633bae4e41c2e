"""The client against the whole service, over a wire that loses answers."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from uuid import uuid4

import pytest

from client import AnswerLost, Retries, SagaClient, Start, Status, SyncSagaClient, Unavailable
from sagas.order import Order, PlacedItem, PlaceOrder, order
from support import eventually
from support.cutting import Wire, wire
from support.services import participating, serving, settings_for

RETRIES = Retries(first_s=0.01)


@pytest.fixture
async def line(mongo_url: str, redis_url: str) -> AsyncIterator[Wire]:
    settings = settings_for(mongo_url, redis_url)
    async with participating(settings), serving(settings) as http, wire(str(http.base_url)) as line:
        yield line


@pytest.fixture
async def sagas(line: Wire) -> AsyncIterator[SagaClient]:
    async with SagaClient(line.url, retries=RETRIES) as client:
        yield client


def placing(customer: str = "alice") -> PlaceOrder:
    return PlaceOrder(customer_id=customer, items=[PlacedItem(product_id="boots", quantity=1)])


async def count(sagas: SagaClient) -> int:
    return len([saga async for saga in sagas.find(limit=100)])


async def test_an_order_is_placed_and_waited_for(sagas: SagaClient) -> None:
    placed = await sagas.start(order, placing(), wait_s=20)
    declined = await sagas.start(order, placing("broke"), wait_s=20)

    assert placed.completed
    assert isinstance(placed.data, Order)
    assert placed.data.amount == 1999
    assert declined.status is Status.COMPENSATED
    assert declined.failure
    assert declined.failure.code == "insufficient-funds"


@pytest.mark.parametrize("key", [None, "order-4711"])
async def test_a_start_whose_answers_were_lost_starts_one_saga(sagas: SagaClient, line: Wire, key: str | None) -> None:
    line.lose_answers = 2

    placed = await sagas.start(order, placing(), key=key)

    assert (line.lose_answers, await count(sagas)) == (0, 1)
    assert (await sagas.wait(placed.id, timeout_s=20)).completed


async def test_a_batch_whose_answer_was_lost_starts_each_saga_once(sagas: SagaClient, line: Wire) -> None:
    line.lose_answers = 1

    results = await sagas.start_many([Start(saga=order, data=placing()) for _ in range(5)])

    assert (len(results), await count(sagas)) == (5, 5)


async def test_an_act_whose_answer_was_lost_is_done_once_and_said_so(sagas: SagaClient, line: Wire) -> None:
    placed = await sagas.start(order, placing(), wait_s=20)
    before = line.connections
    line.lose_answers = 1

    with pytest.raises(AnswerLost, match="Look before you ask again"):
        await sagas.cancel(placed.id, reason="too late")

    assert line.connections - before <= 1


async def test_a_service_that_is_not_there_is_unavailable() -> None:
    async with wire("http://127.0.0.1:9") as nowhere, SagaClient(nowhere.url, retries=RETRIES) as sagas:
        with pytest.raises(Unavailable):
            await sagas.get(uuid4().hex)
    assert nowhere.connections == RETRIES.attempts


async def test_the_blocking_client_does_the_same(line: Wire) -> None:
    line.lose_answers = 1

    def work() -> tuple[bool, int, bool]:
        with SyncSagaClient(line.url, retries=RETRIES) as sagas:
            placed = sagas.start(order, placing())
            waited = sagas.wait(placed.id, order, timeout_s=20)
            return waited.completed, len(list(sagas.find(saga=order))), sagas.readiness().ready

    assert await asyncio.to_thread(work) == (True, 1, True)


async def test_a_saga_is_watched_over_connections_that_break(sagas: SagaClient, line: Wire) -> None:
    """Nobody participates yet, so each transition comes when the test wants it."""
    placed = await sagas.start(order, placing())
    found = []
    async for transition in sagas.watch(placed.id):
        found.append(transition)
        line.cut()

    whole = await sagas.history(placed.id)
    assert [one.revision for one in found] == [entry.revision for entry in whole.items]
    assert found[-1].events[-1] == "completed"


async def test_every_transition_of_all_sagas_is_told_once_over_connections_that_break(
    sagas: SagaClient, line: Wire
) -> None:
    told: list[tuple[str, int]] = []

    async def watch() -> None:
        async for transition in sagas.watch(saga=order):
            told.append((transition.saga_id, transition.revision))
            if len(told) % 7 == 0:
                line.cut()  # Also in the middle of what is being read.

    async with SagaClient(line.target) as directly:
        watching = asyncio.create_task(watch())
        ids = [await the_first_told(directly, told)]
        for number in range(3):
            line.cut()
            starts = [Start(saga=order, data=placing(), id=f"w{number}-{one}") for one in range(10)]
            await directly.start_many(starts)
            ids += [one.id or "" for one in starts]
            ends = {(one, (await directly.wait(one, timeout_s=20)).revision) for one in ids}
            await eventually(partial(ends.issubset, told), within_s=20)
        watching.cancel()
        entries = {(one, entry.revision) for one in ids for entry in (await directly.history(one)).items}

    assert len(told) == len(set(told)), "nothing is told twice"
    assert entries - set(told) <= {(ids[0], 1)}, "nothing is missed, but what was before the watch"
    assert line.connections > 3


async def the_first_told(directly: SagaClient, told: list[tuple[str, int]]) -> str:
    """The saga whose start is told first: a watch begins some time after it was asked for."""
    for number in range(100):
        saga_id = f"first-{number}"
        await directly.start(order, placing(), id=saga_id, wait_s=20)
        if any(one == saga_id for one, _ in told):
            return saga_id
    raise AssertionError("nothing is told")
