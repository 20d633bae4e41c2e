"""The definitions over HTTP: every version that is known, as JSON and as a diagram."""

from collections.abc import AsyncIterator

import pytest

from orchestrator.api import schemas_definitions
from sagas import Saga, pivot, step, undo
from sagas.order import CHARGE_PAYMENT, REFUND_PAYMENT, RELEASE_STOCK, RESERVE_STOCK, Order, PlaceOrder, order
from support.api import Api, problem, running
from support.start_events import STREAM, thanks

newer = Saga(
    "order",
    version=2,
    input=PlaceOrder,
    data=Order,
    steps=[
        step("reserve-stock", RESERVE_STOCK, undo=undo(RELEASE_STOCK)),
        step("charge-payment", CHARGE_PAYMENT, undo=undo(REFUND_PAYMENT)),
        pivot(),
    ],
)


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with running(Api(sagas=(newer, order))) as made:
        yield made


async def test_every_version_is_listed(api: Api) -> None:
    found = (await api.client.get("/v1/definitions")).json()
    schemas_definitions.DefinitionList.model_validate(found)
    assert [(item["name"], item["version"]) for item in found["items"]] == [("order", 1), ("order", 2)]
    assert found["items"][0]["steps"] == ["reserve-stock", "charge-payment", "confirm"]
    assert found["items"][0]["fingerprint"] == order.fingerprint
    assert found["items"][0]["pivot"] == "charge-payment"


async def test_the_newest_version_is_shown_whole(api: Api) -> None:
    found = (await api.client.get("/v1/definitions/order")).json()
    schemas_definitions.Definition.model_validate(found)
    assert (found["version"], found["versions"]) == (2, [1, 2])
    assert [step["name"] for step in found["steps"]] == ["reserve-stock", "charge-payment"]
    assert found["mermaid"].startswith("flowchart LR")
    assert set(found["input"]["properties"]) == {"order_id", "customer_id", "items"}


async def test_an_older_version_can_be_asked_for(api: Api) -> None:
    found = (await api.client.get("/v1/definitions/order?version=1")).json()
    schemas_definitions.Definition.model_validate(found)
    assert (found["version"], found["fingerprint"]) == (1, order.fingerprint)
    assert found["steps"][2]["kind"] == "retriable"


async def test_the_event_that_starts_a_saga_is_shown() -> None:
    async with running(Api(sagas=(thanks, order))) as api:
        found = (await api.client.get("/v1/definitions/thanks")).json()
        schemas_definitions.Definition.model_validate(found)
        assert found["starts_on"] == {"type": "ORDER_CREATED", "stream": STREAM, "start": "$"}
        assert (await api.client.get("/v1/definitions/order")).json()["starts_on"] is None


@pytest.mark.parametrize("path", ["nothing", "Order", "%24ne", "order?version=3", "nothing?version=1"])
async def test_an_unknown_definition_is_not_found(api: Api, path: str) -> None:
    problem(await api.client.get(f"/v1/definitions/{path}"), "definition-not-found", 404)


@pytest.mark.parametrize("query", ["version=0", "version=x", "version=1&more=2"])
async def test_a_version_is_a_number(api: Api, query: str) -> None:
    problem(await api.client.get(f"/v1/definitions/order?{query}"), "invalid-request", 422)


async def test_the_definitions_are_shown_while_the_servers_are_away(api: Api) -> None:
    api.store.away = api.bus.server.down = True
    assert (await api.client.get("/v1/definitions/order")).status_code == 200
