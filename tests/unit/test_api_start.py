"""Starting sagas over HTTP: what is answered when, and what a repeat gets."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from orchestrator.core.state import Status
from support import eventually
from support.api import BODY, DATA, Api, pointers, problem, running


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with running(Api()) as made:
        yield made


@pytest.fixture
async def answering() -> AsyncIterator[Api]:
    made = Api()
    made.answering()
    async with running(made):
        yield made


async def test_a_started_saga_is_accepted_with_its_place_and_its_state(api: Api) -> None:
    answer = await api.start()
    saga = answer.json()
    assert answer.status_code == 202
    assert answer.headers["Location"] == f"/v1/sagas/{saga['id']}"
    assert answer.headers["ETag"] == '"1"'
    assert "Idempotency-Replayed" not in answer.headers
    assert (saga["saga"], saga["version"], saga["status"]) == ("order", 1, "running")
    assert (await api.client.get(answer.headers["Location"])).json() == saga
    assert api.store.sagas[saga["id"]].data["customer_id"] == "alice"


async def test_a_saga_is_accepted_and_answered_while_the_bus_is_away(api: Api) -> None:
    api.bus.server.down = True
    assert (await api.start()).status_code == 202


async def test_camel_case_is_accepted_and_snake_case_shown(api: Api) -> None:
    data = {"customerId": "alice", "items": [{"productId": "boots", "quantity": 1}]}
    assert (await api.start(data=data)).json()["data"] == {**DATA, "order_id": None, "amount": None}


async def test_a_client_may_choose_the_id_and_repeat_itself(api: Api) -> None:
    first, second = await api.start(id="mine"), await api.start(id="mine")
    assert first.json()["id"] == second.json()["id"] == "mine"
    assert "Idempotency-Replayed" not in first.headers
    assert second.headers["Idempotency-Replayed"] == "true"
    assert len(api.store.sagas) == 1


async def test_an_id_of_another_saga_is_a_conflict(api: Api) -> None:
    await api.start(id="mine")
    problem(await api.start(id="mine", data=DATA | {"customer_id": "bob"}), "id-taken", 409)


@pytest.mark.parametrize(("first", "second"), [("k 1", '"k 1"'), ('"a\\"b"', 'a"b'), ("x" * 255, f'"{"x" * 255}"')])
async def test_a_key_makes_a_repeat_safe_quoted_or_not(api: Api, first: str, second: str) -> None:
    one = await api.start({"Idempotency-Key": first})
    two = await api.start({"Idempotency-Key": second})
    assert one.json()["id"] == two.json()["id"]
    assert two.headers["Idempotency-Replayed"] == "true"
    assert len(api.store.sagas) == 1


async def test_a_key_is_not_for_another_request(api: Api) -> None:
    await api.start({"Idempotency-Key": "k"})
    changed = await api.start({"Idempotency-Key": "k"}, data=DATA | {"customer_id": "bob"})
    problem(changed, "idempotency-key-reused", 422)


async def test_the_same_fields_in_another_spelling_are_the_same_request(api: Api) -> None:
    await api.start({"Idempotency-Key": "k"})
    data = {"items": DATA["items"], "customerId": "alice"}
    assert (await api.start({"Idempotency-Key": "k"}, data=data)).headers["Idempotency-Replayed"] == "true"


async def test_a_repeat_shows_the_saga_as_it_is_now(answering: Api) -> None:
    await answering.start({"Idempotency-Key": "k", "Prefer": "wait=5"})
    repeated = await answering.start({"Idempotency-Key": "k"})
    assert (repeated.status_code, repeated.json()["status"]) == (202, "completed")
    waited = await answering.start({"Idempotency-Key": "k", "Prefer": "wait=5"})
    assert (waited.status_code, waited.headers["Idempotency-Replayed"]) == (200, "true")


@pytest.mark.parametrize("key", ["", '""', "x" * 256, '"open', "a\tb", '"a" b"c', "ä"])
async def test_a_bad_key_is_refused(api: Api, key: str) -> None:
    answer = await api.client.post("/v1/sagas", json=BODY, headers={b"Idempotency-Key": key.encode()})
    problem(answer, "invalid-request", 422)
    assert pointers(answer) == ["/Idempotency-Key"]
    assert not api.store.sagas


async def test_two_keys_or_a_key_and_an_id_are_refused(api: Api) -> None:
    twice = await api.client.post("/v1/sagas", json=BODY, headers=[("Idempotency-Key", "a"), ("Idempotency-Key", "b")])
    problem(twice, "invalid-request", 422)
    problem(await api.start({"Idempotency-Key": "k"}, id="mine"), "invalid-request", 422)


@pytest.mark.parametrize(
    "prefer", ["wait=5", "respond-async, wait=5", "WAIT = 5", 'wait="5"', "wait=5; foo", "wait=4.5"]
)
async def test_with_prefer_wait_the_answer_is_the_end(answering: Api, prefer: str) -> None:
    answer = await answering.start({"Prefer": prefer})
    assert (answer.status_code, answer.json()["status"]) == (200, "completed")
    assert answer.headers["Preference-Applied"] in ("wait=5", "wait=4.5")
    assert answer.json()["waiting_for"] is None
    assert answer.headers["ETag"] == '"4"'


async def test_a_wait_ends_with_the_saga_as_it_is(api: Api) -> None:
    answer = await api.start({"Prefer": "wait=0.05"})
    assert (answer.status_code, answer.json()["status"]) == (202, "running")
    assert answer.headers["Preference-Applied"] == "wait=0.05"


@pytest.mark.parametrize("prefer", ["wait", "wait=soon", "wait=-1", "awaits=5", "handling=lenient"])
async def test_a_preference_that_makes_no_sense_is_ignored(api: Api, prefer: str) -> None:
    answer = await api.start({"Prefer": prefer})
    assert answer.status_code == 202
    assert "Preference-Applied" not in answer.headers


async def test_a_wait_is_cut_to_the_longest_allowed() -> None:
    async with running(Api(wait_max_s=0.05)) as api:
        assert (await api.start({"Prefer": "wait=60"})).headers["Preference-Applied"] == "wait=0.05"


async def test_a_saga_that_ends_in_another_process_is_noticed(api: Api) -> None:
    waiting = asyncio.create_task(api.start({"Prefer": "wait=10"}, id="mine"))
    await eventually(lambda: "mine" in api.store.sagas)
    api.store.sagas["mine"] = replace(api.store.sagas["mine"], status=Status.COMPLETED, pending=(), revision=9)
    assert (await waiting).json()["status"] == "completed"


async def test_nobody_waits_for_a_process_that_stops(api: Api) -> None:
    waiting = asyncio.create_task(api.start({"Prefer": "wait=30"}))
    await eventually(lambda: api.store.sagas)
    api.services.stopping.set()
    assert (await asyncio.wait_for(waiting, 5)).status_code == 202


async def test_a_rejected_step_is_shown_with_its_reason() -> None:
    api = Api()
    api.answering(charge_payment="insufficient-funds")
    async with running(api):
        saga = (await api.start({"Prefer": "wait=5"})).json()
    assert saga["status"] == "compensated"
    assert saga["failure"] == {"step": "charge-payment", "code": "insufficient-funds", "detail": "no"}
    assert [step["status"] for step in saga["steps"]] == ["compensated", "rejected", "pending"]
    assert saga["steps"][1]["error"] == {"code": "insufficient-funds", "detail": "no"}


async def test_nothing_is_accepted_while_the_store_is_away(api: Api) -> None:
    api.store.away = True
    answer = await api.start()
    problem(answer, "unavailable", 503)
    assert int(answer.headers["Retry-After"]) > 0


async def test_too_many_sagas_in_flight_are_not_accepted() -> None:
    async with running(Api(max_active=2)) as api:
        assert [(await api.start()).status_code for _ in range(2)] == [202, 202]
        refused = await api.start()
        problem(refused, "overloaded", 503)
        assert int(refused.headers["Retry-After"]) > 0
        api.store.sagas.clear()
        await api.admission.sample()
        assert (await api.start()).status_code == 202


async def test_many_with_one_key_at_once_are_one_saga(answering: Api) -> None:
    answers = await asyncio.gather(*(answering.start({"Idempotency-Key": "k", "Prefer": "wait=5"}) for _ in range(200)))
    assert {answer.json()["id"] for answer in answers} == set(answering.store.sagas)
    assert len(answering.store.sagas) == 1
    assert sum("Idempotency-Replayed" not in answer.headers for answer in answers) == 1


async def test_a_trace_context_is_kept_if_it_is_valid(api: Api) -> None:
    valid = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    kept = await api.start({"traceparent": valid})
    dropped = await api.start({"traceparent": "00-zz-01"})
    assert api.store.sagas[kept.json()["id"]].traceparent == valid
    assert api.store.sagas[dropped.json()["id"]].traceparent is None
