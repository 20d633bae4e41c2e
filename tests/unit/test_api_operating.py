"""What a person may do with a saga over HTTP: cancel, retry, skip, abort; and what is said where it can't be done."""

import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from orchestrator.core.decide import decide
from orchestrator.core.state import SagaState, Status
from orchestrator.documents import Change
from orchestrator.memory_store import MemorySagaStore
from sagas.order import order
from support.api import Api, Json, pointers, problem, running
from support.orders import rejection, started, succeeded, success
from support.shapes import BREAKS_UNDO, shape

AT = datetime(2026, 1, 1, 12, tzinfo=UTC)
SECRET = "value-that-must-not-be-echoed"


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with running(Api()) as made:
        yield made


def after(steps: int) -> SagaState:
    """An order saga with so many steps done."""
    state = started("a", AT).state
    for _ in range(steps):
        state = succeeded(state, AT).state
    return state


def stuck() -> SagaState:
    """An order saga whose last step, after the point of no return, was rejected."""
    return decide(order, after(2), rejection(after(2)), AT).state


def stuck_before_the_pivot() -> SagaState:
    """As one is when the definition's own functions fail both ways."""
    return replace(after(1), status=Status.STUCK)


async def given(api: Api, state: SagaState) -> None:
    assert await api.store.insert([state]) == [None]


async def act(api: Api, action: str, body: Any = None, saga_id: str = "a", **headers: str) -> Any:
    return await api.client.post(f"/v1/sagas/{saga_id}/{action}", json={} if body is None else body, headers=headers)


def sent(api: Api, participant: str) -> list[str]:
    return [fields["id"] for fields in api.bus.server.entries(f"saga.commands.{participant}")]


async def test_a_cancelled_saga_is_undone(api: Api) -> None:
    await api.start(id="a")
    answer = await act(api, "cancel", {"reason": "changed my mind"})
    saga = answer.json()
    assert (answer.status_code, answer.headers["ETag"]) == (202, '"2"')
    assert (saga["status"], saga["failure"]["code"]) == ("compensating", "cancelled")
    assert (await api.client.get("/v1/sagas/a")).json() == saga
    assert "a/reserve-stock/compensation" in sent(api, "inventory")
    assert "saga.order.cancelled" in [fields["type"] for fields in api.bus.server.entries("saga.events")]
    history = (await api.client.get("/v1/sagas/a/history")).json()["items"]
    assert (history[-1]["code"], history[-1]["detail"]) == ("cancelled", "changed my mind")


async def test_a_cancel_can_be_repeated(api: Api) -> None:
    await api.start(id="a")
    first, second = await act(api, "cancel"), await act(api, "cancel")
    assert (second.status_code, second.json()) == (202, first.json())


async def test_a_retried_saga_gets_fresh_attempts(api: Api) -> None:
    await given(api, stuck())
    answer = await act(api, "retry", {"reason": "orders is back"})
    assert (answer.status_code, answer.json()["status"]) == (202, "running")
    assert sent(api, "orders") == ["a/confirm/action/2"]


async def test_a_skipped_step_counts_as_done_by_hand(api: Api) -> None:
    await given(api, stuck())
    answer = await act(api, "skip", {"reason": "confirmed by telephone", "data": {"order_id": "o-7"}})
    saga = answer.json()
    assert (answer.status_code, saga["status"], saga["data"]["order_id"]) == (202, "completed", "o-7")
    assert saga["steps"][2]["status"] == "skipped"


async def test_an_aborted_saga_is_undone(api: Api) -> None:
    await given(api, stuck_before_the_pivot())
    answer = await act(api, "abort", {"reason": "give up"})
    assert (answer.status_code, answer.json()["status"]) == (202, "compensating")
    assert sent(api, "payment") == ["a/charge-payment/compensation"]


@pytest.mark.parametrize(
    ("action", "state", "code"),
    [
        ("cancel", after(3), "not-running"),
        ("cancel", after(2), "pivot-passed"),
        ("cancel", stuck(), "not-running"),
        ("retry", after(1), "not-stuck"),
        ("retry", after(3), "not-stuck"),
        ("skip", after(1), "not-stuck"),
        ("abort", after(0), "not-stuck"),
        ("abort", stuck(), "pivot-passed"),
        ("cancel", replace(after(1), version=7), "definition-unknown"),
        ("retry", replace(stuck(), fingerprint="changed"), "definition-unknown"),
    ],
)
async def test_what_the_state_forbids_is_refused_with_a_code(
    api: Api, action: str, state: SagaState, code: str
) -> None:
    await given(api, state)
    answer = await act(api, action, {"reason": "please"})
    assert problem(answer, "refused", 409)["code"] == code
    assert api.store.sagas["a"] == state


@pytest.mark.parametrize("action", ["cancel", "retry", "skip", "abort"])
@pytest.mark.parametrize("saga_id", ["unknown", "a" * 65, "%24ne"])
async def test_an_unknown_saga_is_not_found(api: Api, action: str, saga_id: str) -> None:
    problem(await act(api, action, {"reason": "please"}, saga_id), "saga-not-found", 404)


@pytest.mark.parametrize(
    ("action", "body", "where"),
    [
        ("cancel", [], ""),
        ("cancel", {"reason": 7}, "/reason"),
        ("cancel", {"reason": None}, "/reason"),
        ("cancel", {"reason": "x" * 1_001}, "/reason"),
        ("cancel", {"reason": {"$ne": ""}}, "/reason"),
        ("cancel", {"reason": "r", "data": {}}, "/data"),
        ("retry", {"data": {}}, "/data"),
        ("abort", {"data": {}}, "/data"),
        ("abort", {"revision": 1}, "/revision"),
        ("skip", {}, "/reason"),
        ("skip", {"reason": ""}, "/reason"),
        ("skip", {"reason": "r", "data": []}, "/data"),
        ("skip", {"reason": "r", "status": "completed"}, "/status"),
        ("skip", {"reason": "r", "data": {"amount": SECRET, "nothing_like_this": SECRET}}, "/data"),
        ("skip", {"reason": "r", "data": {"order_id": {"$ne": SECRET}}}, "/data"),
        ("skip", {"reason": "r", "data": {"order_id": [SECRET]}}, "/data"),
    ],
)
async def test_a_request_that_does_not_fit_is_refused_with_its_place(
    api: Api, action: str, body: Any, where: str
) -> None:
    await given(api, stuck())
    answer = await act(api, action, body)
    problem(answer, "invalid-request", 422)
    assert pointers(answer) == [where]
    assert SECRET not in answer.text
    assert api.store.sagas["a"] == stuck()


async def test_a_reason_that_could_not_be_stored_is_refused(api: Api) -> None:
    await given(api, stuck())
    answer = await api.send(b'{"reason": "\\ud800"}', "/v1/sagas/a/retry")
    problem(answer, "invalid-request", 422)


@pytest.mark.parametrize("content_type", ["", "text/plain", "application/x-www-form-urlencoded"])
async def test_a_form_of_some_web_page_does_nothing(api: Api, content_type: str) -> None:
    await given(api, stuck())
    answer = await api.send(b"", "/v1/sagas/a/retry", content_type)
    problem(answer, "unsupported-media-type", 415)


async def test_a_step_whose_reply_later_steps_need_is_not_skipped_without_it(api: Api) -> None:
    state = replace(after(0), status=Status.STUCK)
    await given(api, state)
    answer = await act(api, "skip", {"reason": "reserved by hand"})
    problem(answer, "invalid-request", 422)
    assert "amount" in answer.json()["errors"][0]["detail"]
    assert (await act(api, "skip", {"reason": "by hand", "data": {"amount": 5}})).status_code == 202


async def test_what_a_definition_says_when_it_fails_is_not_shown() -> None:
    saga = shape("uu", fragile=True)
    async with running(Api(sagas=(saga,))) as api:
        await api.client.post("/v1/sagas", json={"saga": saga.name, "data": {"number": BREAKS_UNDO}, "id": "a"})
        await act(api, "cancel")
        assert api.store.sagas["a"].status is Status.STUCK
        answer = await act(api, "abort")
        found = problem(answer, "refused", 409)
        assert found["code"] == "internal"
        assert "log" in found["detail"]


@pytest.mark.parametrize("tag", ['"3"', "*", "", ' "3" '])
async def test_a_request_for_this_very_revision_is_done(api: Api, tag: str) -> None:
    await given(api, replace(stuck(), revision=3))
    assert (await act(api, "retry", **{"If-Match": tag})).status_code == 202


@pytest.mark.parametrize("tag", ['"2"', '"5"', 'W/"4"', "4", '"4", "5"', '"x"', '"' + "9" * 30 + '"'])
async def test_a_request_for_another_revision_is_refused(api: Api, tag: str) -> None:
    await given(api, stuck())
    problem(await act(api, "retry", **{"If-Match": tag}), "revision-changed", 412)
    assert api.store.sagas["a"] == stuck()


class OvertakingStore(MemorySagaStore):
    """Somebody else is faster, once."""

    overtaken = False

    async def save(self, changes: Sequence[Change]) -> set[str]:
        if not self.overtaken:
            self.overtaken = True
            state = self.sagas["a"]
            decision = decide(order, state, success(state), AT)
            assert decision.transition is not None
            await super().save([Change(state, decision.state, (decision.transition,))])
        return await super().save(changes)


async def test_a_request_that_was_overtaken_is_decided_again() -> None:
    async with running(Api(store=OvertakingStore())) as api:
        await api.start(id="a")
        saga = (await act(api, "cancel")).json()
        assert (saga["status"], saga["revision"]) == ("compensating", 3)
        assert sent(api, "payment") == ["a/charge-payment/compensation"]


async def test_a_request_for_a_revision_that_was_overtaken_is_refused() -> None:
    async with running(Api(store=OvertakingStore())) as api:
        await api.start(id="a")
        problem(await act(api, "cancel", **{"If-Match": '"1"'}), "revision-changed", 412)
        assert api.store.sagas["a"].status is Status.RUNNING


async def test_without_a_bus_a_request_is_stored_and_the_saga_wakes_up_by_itself(api: Api) -> None:
    await api.start(id="a")
    api.bus.server.down = True
    answer = await act(api, "cancel")
    assert (answer.status_code, answer.json()["status"]) == (202, "compensating")
    state = api.store.sagas["a"]
    assert state.wake_at is not None
    assert state.pending[0].command_id == "a/reserve-stock/compensation"


async def test_while_the_store_is_away_that_is_said(api: Api) -> None:
    await api.start(id="a")
    api.store.away = True
    answer = await act(api, "cancel")
    problem(answer, "unavailable", 503)
    assert answer.headers["Retry-After"]


def described(document: Json, action: str) -> Json:
    found: Json = document["paths"][f"/v1/sagas/{{saga_id}}/{action}"]["post"]
    return found


async def test_the_document_says_what_each_action_takes(api: Api) -> None:
    document = (await api.client.get("/openapi.json")).json()
    assert json.dumps(described(document, "skip")["requestBody"]).count("SkipRequest") == 1
    assert document["components"]["schemas"]["SkipRequest"]["required"] == ["reason"]
    assert set(document["components"]["schemas"]["WithReason"]["properties"]) == {"reason"}
    assert set(described(document, "cancel")["responses"]) >= {"202", "404", "409", "412", "422", "503"}
