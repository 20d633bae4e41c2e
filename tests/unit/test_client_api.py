"""The client against the real application: every call, and types that have exactly what the API shows."""

from collections.abc import AsyncIterator

import httpx
import pytest
from pydantic import BaseModel

import client.models as shown
import client.models_operating as operating
from client import Conflict, InvalidRequest, NotFound, Retries, SagaClient, SagaInstance, Start, Status, StepStatus
from orchestrator.api import schemas, schemas_dead_letters, schemas_definitions, schemas_history
from orchestrator.core import state
from sagas.order import Order, PlacedItem, PlaceOrder, order
from support.api import Api, running

PLACE = PlaceOrder(customer_id="alice", items=[PlacedItem(product_id="boots", quantity=1)])


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with running(Api()) as api:
        yield api


@pytest.fixture
async def sagas(api: Api) -> AsyncIterator[SagaClient]:
    transport = httpx.ASGITransport(app=api.app)
    async with SagaClient("http://saga", transport=transport, retries=Retries(attempts=1)) as client:
        yield client


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (SagaInstance, schemas.Saga),
        (shown.Step, schemas.Step),
        (shown.StepError, schemas.StepError),
        (shown.Failure, schemas.Failure),
        (shown.HistoryEntry, schemas_history.Transition),
        (shown.Then, schemas_history.Then),
        (shown.StepThen, schemas_history.StepThen),
        (shown.History, schemas_history.History),
        (operating.DeadLetter, schemas_dead_letters.WholeDeadLetter),
        (operating.Definition, schemas_definitions.Definition),
        (operating.DefinitionSummary, schemas_definitions.DefinitionSummary),
        (operating.StepDefinition, schemas_definitions.StepShown),
    ],
)
def test_what_is_shown_has_the_fields_of_the_api(ours: type[BaseModel], theirs: type[BaseModel]) -> None:
    assert list(ours.model_fields) == list(theirs.model_fields)


def test_the_words_for_how_far_it_is_are_those_of_the_service() -> None:
    assert [*Status] == [*map(str, state.Status)]
    assert [*StepStatus] == [*map(str, state.StepStatus)]
    assert {one: one.ended for one in Status} == {Status(one): one.ended for one in state.Status}


async def test_an_order_is_placed_waited_for_and_found_again(api: Api, sagas: SagaClient) -> None:
    api.answering()

    placed = await sagas.start(order, PLACE, key="order-1", wait_s=5)
    again = await sagas.start(order, PLACE, key="order-1")

    assert (placed.status, placed.id) == (Status.COMPLETED, again.id)
    assert isinstance(placed.data, Order)
    assert placed.data.amount
    assert [step.status for step in placed.steps] == [StepStatus.SUCCEEDED] * 3
    assert await sagas.wait(placed.id, order, timeout_s=1) == await sagas.get(placed.id, order)
    assert [one.id async for one in sagas.find(saga=order, status="completed", q=placed.id[:8])] == [placed.id]
    history = await sagas.history(placed.id, revision=1)
    assert history.items[-1].events[-1] == "completed"
    assert history.then
    assert history.then.status is Status.RUNNING


async def test_a_batch_has_a_result_for_each(api: Api, sagas: SagaClient) -> None:
    good, bad = await sagas.start_many([Start(saga=order, data=PLACE, id="a"), Start(saga="order", data={"x": 1})])
    assert isinstance(good, SagaInstance)
    assert good.id == "a"
    assert not isinstance(bad, SagaInstance)
    assert (bad.status, bad.type) == (422, "/problems/invalid-request")


async def test_what_the_service_refuses_is_an_error_of_its_kind(sagas: SagaClient) -> None:
    await sagas.start(order, PLACE, id="taken")
    with pytest.raises(Conflict) as conflict:
        await sagas.start("order", {"customer_id": "bob", "items": [{"product_id": "x", "quantity": 1}]}, id="taken")
    assert conflict.value.type == "/problems/id-taken"
    with pytest.raises(InvalidRequest, match="/data/items"):
        await sagas.start("order", {"customer_id": "bob"})
    with pytest.raises(NotFound, match="No saga has this id"):
        await sagas.get("nobody")
    with pytest.raises(Conflict) as refused:
        await sagas.retry("taken", reason="impatient")
    assert refused.value.code
    with pytest.raises(Conflict) as changed:
        await sagas.cancel("taken", reason="late", revision=99)
    assert changed.value.type == "/problems/revision-changed"


async def test_a_person_operates_on_a_saga(sagas: SagaClient) -> None:
    saga = await sagas.start(order, PLACE)
    cancelled = await sagas.cancel(saga.id, reason="changed my mind", revision=saga.revision)
    assert cancelled.failure
    assert (cancelled.failure.code, cancelled.failure.detail) == ("cancelled", "changed my mind")


async def test_definitions_and_readiness_are_told(sagas: SagaClient) -> None:
    (summary,) = await sagas.definitions()
    whole = await sagas.definition(summary.name, version=1)
    assert [step.name for step in whole.steps] == list(summary.steps)
    assert whole.mermaid.startswith("flowchart")
    with pytest.raises(NotFound):
        await sagas.definition("odor")
    assert (await sagas.readiness()).checks["mongodb"] == "ok"
    assert [letter async for letter in sagas.dead_letters()] == []
