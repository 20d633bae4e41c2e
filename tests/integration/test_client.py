"""The client against the whole service, over a wire that loses answers."""

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from client import AnswerLost, Retries, SagaClient, Start, Status, SyncSagaClient, Unavailable
from sagas.order import Order, PlacedItem, PlaceOrder, order
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
