"""What the service decides itself can't be set from outside: each internal field is refused in each place."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import fields
from typing import Any

import pytest

from orchestrator.api import schemas
from orchestrator.core.state import Pending, SagaState, StepState
from orchestrator.documents import to_document
from support.api import BODY, DATA, Api, pointers, problem, running
from support.clock import ManualClock
from support.orders import started

SENT = {"id", "saga", "data", *DATA, "order_id"}
#: Every field that a saga has, in the core, in its document, or as it is shown; what others call a tenant or an owner.
INTERNAL = sorted(
    {
        *(one.name for kind in (SagaState, StepState, Pending) for one in fields(kind)),
        *to_document(started("a", ManualClock().now()).state),
        *schemas.Saga.model_fields,
        *("_id", "amount", "state", "tenant", "owner", "caller", "created_by", "is_admin", "role", "scopes", "request"),
    }
    - SENT
)
VALUES: tuple[Any, ...] = ("completed", {"a": 1})


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with running(Api()) as made:
        yield made


def bodies(name: str, value: Any) -> Iterator[tuple[str, str, Any]]:
    more = {name: value}
    yield "/v1/sagas", f"/{name}", BODY | more
    yield "/v1/sagas", f"/data/{name}", BODY | {"data": DATA | more}
    yield "/v1/sagas", f"/data/items/0/{name}", BODY | {"data": DATA | {"items": [DATA["items"][0] | more]}}
    yield "/v1/sagas:batch", f"/{name}", {"sagas": [BODY]} | more
    if name != "reason":
        for action in ("cancel", "retry", "abort", "skip"):
            yield f"/v1/sagas/a/{action}", f"/{name}", {"reason": "why"} | more


@pytest.mark.parametrize("name", INTERNAL)
async def test_an_internal_field_is_refused_wherever_it_is_sent(api: Api, name: str) -> None:
    for value in VALUES:
        for path, where, body in bodies(name, value):
            answer = await api.client.post(path, json=body)
            problem(answer, "invalid-request", 422)
            assert where in pointers(answer)
        batch = await api.client.post("/v1/sagas:batch", json={"sagas": [BODY | {name: value}]})
        assert [one["status"] for one in batch.json()["results"]] == [422]
    assert not api.store.sagas


async def test_only_fields_that_are_meant_to_be_seen_are_shown(api: Api) -> None:
    await api.start(id="a")
    for path in ("/v1/sagas/a", "/v1/sagas"):
        found = (await api.client.get(path)).json()
        assert set(found["items"][0] if "items" in found else found) == set(schemas.Saga.model_fields)
