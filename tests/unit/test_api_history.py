"""A saga's history over HTTP: what happened, in order, and what the saga looked like on the way."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from orchestrator.api import schemas_history
from orchestrator.core.decide import decide
from orchestrator.core.state import Replied
from orchestrator.documents import HISTORY_LIMIT, Change
from sagas.messages import Outcome, ReplyMessage
from sagas.order import order
from support import eventually
from support.api import Api, Json, problem, running
from support.orders import started

AT = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with running(Api()) as made:
        yield made


async def declined(api: Api) -> Json:
    """A saga whose payment was declined, at its end."""
    api.answering(charge_payment="insufficient-funds")
    await api.start(id="a")
    saga = api.store.sagas
    await eventually(lambda: saga["a"].status.ended)
    found: Json = (await api.client.get("/v1/sagas/a/history")).json()
    return found


async def test_the_transitions_come_oldest_first(api: Api) -> None:
    found = await declined(api)
    told = [(item["revision"], item["events"], item["step"], item["step_status"]) for item in found["items"]]
    assert told == [
        (1, ["started"], None, None),
        (2, ["step-succeeded"], "reserve-stock", "succeeded"),
        (3, ["step-rejected"], "charge-payment", "rejected"),
        (4, ["step-compensated", "compensated"], "reserve-stock", "compensated"),
    ]
    assert [item["status"] for item in found["items"]] == ["running", "running", "compensating", "compensated"]
    assert found["items"][1]["data"] == {"amount": 1999}
    assert (found["items"][2]["code"], found["items"][2]["kind"]) == ("insufficient-funds", "action")
    assert found["truncated_before"] is None
    assert "then" not in found


async def test_the_saga_is_shown_as_it_was(api: Api) -> None:
    await declined(api)
    found = (await api.client.get("/v1/sagas/a/history?revision=2")).json()
    schemas_history.History.model_validate(found)
    assert (found["then"]["revision"], found["then"]["status"]) == (2, "running")
    steps = {step["name"]: step["status"] for step in found["then"]["steps"]}
    assert steps == {"reserve-stock": "succeeded", "charge-payment": "running", "confirm": "pending"}
    assert found["then"]["data"]["amount"] == 1999
    earlier = (await api.client.get("/v1/sagas/a/history?revision=1")).json()["then"]
    assert earlier["data"]["amount"] is None


async def given(api: Api, *codes: str) -> None:
    """A saga whose first step has failed with these codes, one after the other."""
    state = started("a", AT).state
    await api.store.insert([state])
    for code in codes:
        pending = state.pending[0]
        reply = ReplyMessage(pending.command_id, Outcome.FAILED, {"code": code}, pending.attempt)
        decision = decide(order, state, Replied(reply), AT)
        assert decision.transition is not None
        await api.store.save([Change(state, decision.state, (decision.transition,), decision.folded)])
        state = decision.state


async def test_equal_retries_are_one_item_with_a_count(api: Api) -> None:
    await given(api, "broken", "broken", "broken")
    found = (await api.client.get("/v1/sagas/a/history?revision=3")).json()
    assert [(item["revision"], item["count"]) for item in found["items"]] == [(1, 1), (4, 3)]
    assert found["then"]["revision"] == 3


async def test_a_capped_history_says_where_it_begins(api: Api) -> None:
    await given(api, "one", "two")
    state = api.store.sagas["a"]
    entries = tuple(replace(state.last, revision=number) for number in range(4, HISTORY_LIMIT + 4))
    await api.store.save([Change(state, replace(state, revision=entries[-1].revision, last=entries[-1]), entries)])
    found = (await api.client.get("/v1/sagas/a/history?revision=4")).json()
    assert (found["truncated_before"], found["items"][0]["revision"], len(found["items"])) == (4, 4, HISTORY_LIMIT)
    refused = await api.client.get("/v1/sagas/a/history?revision=3")
    assert "4 to 203" in problem(refused, "revision-not-found", 404)["detail"]


@pytest.mark.parametrize("saga_id", ["unknown", "a" * 65, "%24ne", "a%00"])
async def test_an_unknown_saga_has_no_history(api: Api, saga_id: str) -> None:
    problem(await api.client.get(f"/v1/sagas/{saga_id}/history"), "saga-not-found", 404)


@pytest.mark.parametrize("query", ["revision=0", "revision=x", "revision=9" + "9" * 30, "revisionn=1"])
async def test_a_revision_is_a_number(api: Api, query: str) -> None:
    await api.start(id="a")
    problem(await api.client.get(f"/v1/sagas/a/history?{query}"), "invalid-request", 422)


async def test_a_revision_that_has_not_been_is_not_found(api: Api) -> None:
    await api.start(id="a")
    problem(await api.client.get("/v1/sagas/a/history?revision=2"), "revision-not-found", 404)


async def test_while_the_store_is_away_that_is_said(api: Api) -> None:
    await api.start(id="a")
    api.store.away = True
    answer = await api.client.get("/v1/sagas/a/history")
    problem(answer, "unavailable", 503)
    assert answer.headers["Retry-After"]
