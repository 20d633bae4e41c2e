"""`saga cancel`, `retry`, `skip`, `abort`, and what `saga show` says of a saga that is stuck."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from support.saga_command import saga
from support.scripted import ScriptedService, saga_json, scripted_service, step_json

STEPS = [
    step_json("reserve-stock", "succeeded"),
    step_json("charge-payment", "succeeded"),
    step_json("confirm", "rejected", error={"code": "closed", "detail": "no orders today"}),
]
STUCK = saga_json(
    "stuck",
    steps=STEPS,
    failure={"step": "confirm", "code": "closed", "detail": "no orders today"},
    waiting_for="Waits since 2030-01-01T12:00:00Z for a person: the step 'confirm' was rejected. Retry it, or skip it.",
)
ENTRY = {
    "revision": 4,
    "at": "2030-01-01T12:00:00.012Z",
    "events": ["step-rejected", "stuck"],
    "status": "stuck",
    "step": "confirm",
    "step_status": "rejected",
    "kind": "action",
    "attempt": 1,
    "code": "closed",
    "detail": "no orders today",
    "data": None,
    "count": 1,
}
HISTORY = {"items": [{**ENTRY, "revision": number} for number in range(1, 16)], "truncated_before": None}
COMMAND = {"type": "orders.confirm-order", "timeout_s": 30.0, "retry": {"attempts": 5}}
ORDER: dict[str, Any] = {
    "name": "order",
    "version": 1,
    "versions": [1],
    "fingerprint": "f",
    "timeout_s": None,
    "pivot": "charge-payment",
    "input": {"properties": {"customer_id": {}, "order_id": {}}, "required": ["customer_id"]},
    "data": {},
    "steps": [
        {"name": "reserve-stock", "kind": "compensatable", "action": COMMAND, "undo": COMMAND, "merges": ["amount"]},
        {"name": "charge-payment", "kind": "pivot", "action": COMMAND, "undo": COMMAND, "merges": []},
        {"name": "confirm", "kind": "retriable", "action": COMMAND, "undo": None, "merges": ["order_id"]},
    ],
    "mermaid": "flowchart LR\n",
}
REFUSED = {"type": "/problems/refused", "status": 409, "detail": "The saga is running.", "code": "not-stuck"}


@pytest.fixture
def service() -> Iterator[ScriptedService]:
    with scripted_service() as running:
        yield running


def stuck(service: ScriptedService, one: Any = STUCK) -> None:
    service.on("GET /v1/sagas/one", one)
    service.on("GET /v1/sagas/one/history", HISTORY)
    service.on("GET /v1/definitions/order", ORDER)


def test_a_stuck_saga_says_all_that_an_operator_needs(service: ScriptedService) -> None:
    stuck(service)

    result = saga("show", "one", service=service)

    assert result.exit_code == 0
    for said in ("! stuck", "closed (no orders today)", "Waits since 2030", "step-rejected, stuck", "rev"):
        assert said in result.stdout
    assert len([line for line in result.stdout.splitlines() if "step-rejected, stuck" in line]) == 10, "the last ones"
    assert "saga retry one --reason WHY" in result.stderr
    assert 'saga skip one --reason WHAT-WAS-DONE-BY-HAND --data \'{"order_id": "…"}\'' in result.stderr
    assert "saga abort" not in result.stderr, "the pivot is passed"


def test_before_the_pivot_a_stuck_saga_may_be_aborted(service: ScriptedService) -> None:
    stuck(
        service, STUCK | {"steps": [STEPS[0], step_json("charge-payment", "running"), step_json("confirm", "pending")]}
    )

    assert "saga abort one --reason WHY" in saga("show", "one", service=service).stderr


def test_of_an_undo_that_is_stuck_no_data_is_asked(service: ScriptedService) -> None:
    steps = [step_json("reserve-stock", "compensating"), step_json("charge-payment", "rejected")]
    stuck(service, STUCK | {"steps": steps})

    said = saga("show", "one", service=service).stderr

    assert "saga skip one --reason WHAT-WAS-DONE-BY-HAND\n" in said
    assert "saga abort" not in said


def test_a_stuck_saga_is_shown_also_where_nothing_more_is_known_of_it(service: ScriptedService) -> None:
    service.on("GET /v1/sagas/one", STUCK)

    result = saga("show", "one", service=service)

    assert (result.exit_code, "stuck" in result.stdout) == (0, True)


def test_the_whole_history_is_a_table_or_json(service: ScriptedService) -> None:
    stuck(service)
    service.answers["GET /v1/sagas/one/history"] = [(200, HISTORY | {"truncated_before": 1})]

    table = saga("show", "one", "--history", service=service)
    told = saga("show", "one", "--history", "--json", service=service)

    assert len(table.stdout.splitlines()) == 16
    assert "2030-01-01 12:00:00.012" in table.stdout
    assert "before 1 are not kept" in table.stderr
    assert json.loads(told.stdout)["items"] == HISTORY["items"]


@pytest.mark.parametrize("action", ["cancel", "retry", "abort"])
def test_an_act_sends_its_reason_and_revision_and_tells_what_became_of_it(
    service: ScriptedService, action: str
) -> None:
    service.on(f"POST /v1/sagas/one/{action}", saga_json("compensating"), status=202)

    result = saga(action, "one", "--reason", "recall", "--if-revision", "4", service=service)

    assert (result.exit_code, result.stdout) == (0, "order one  ↶ compensating\n")
    (request,) = service.requests
    assert (json.loads(request["body"]), request["headers"]["If-Match"]) == ({"reason": "recall"}, '"4"')


def test_a_skip_sends_what_was_done_by_hand(service: ScriptedService) -> None:
    service.on("POST /v1/sagas/one/skip", saga_json("running"), status=202)

    result = saga("skip", "one", "--reason", "by phone", "--data", '{"order_id": "o1"}', "--json", service=service)

    assert json.loads(result.stdout)["status"] == "running"
    assert json.loads(service.requests[0]["body"]) == {"reason": "by phone", "data": {"order_id": "o1"}}


@pytest.mark.parametrize(("status", "code"), [("completed", 0), ("compensated", 3), ("stuck", 4), ("running", 6)])
def test_an_act_may_wait_for_what_comes_of_it(service: ScriptedService, status: str, code: int) -> None:
    service.on("POST /v1/sagas/one/retry", saga_json("running"), status=202)
    service.on("GET /v1/sagas/one", saga_json(status))

    result = saga("retry", "one", "--wait", "10ms", service=service)

    assert result.exit_code == code
    assert "reserve-stock" in result.stdout


def test_what_the_state_forbids_names_the_command_that_shows_it(service: ScriptedService) -> None:
    service.on("POST /v1/sagas/one/retry", REFUSED, status=409)

    result = saga("retry", "one", service=service)

    assert (result.exit_code, result.stdout) == (1, "")
    assert "The saga is running." in result.stderr
    assert "saga show ID" in result.stderr


def test_one_failure_among_many_does_not_end_the_rest(service: ScriptedService) -> None:
    service.on("POST /v1/sagas/one/retry", REFUSED, status=409)
    service.on("POST /v1/sagas/two/retry", saga_json("running", id="two"), status=202)

    result = saga("retry", "one", "nobody", "two", service=service)

    assert (result.exit_code, result.stdout) == (5, "order two  ▶ running\n")
    assert "one: The saga is running." in result.stderr
    assert "1 of 3, 2 not" in result.stderr


def test_a_key_that_is_not_good_for_it_ends_the_rest_at_once(service: ScriptedService) -> None:
    denied = {"type": "/problems/scope-missing", "status": 403, "detail": "The API key lacks the scope operate."}
    for name in ("a", "b"):
        service.on(f"POST /v1/sagas/{name}/retry", denied, status=403)

    result = saga("retry", "a", "b", service=service)

    assert result.exit_code == 1
    assert "lacks the scope operate.\nThe key in SAGA_API_KEY" in result.stderr
    assert len(service.requests) == 1


def test_all_of_a_kind_are_asked_about_first(service: ScriptedService) -> None:
    service.on("GET /v1/sagas", {"items": [saga_json("stuck", id=name) for name in ("a", "b")], "next": None})
    for name in ("a", "b"):
        service.on(f"POST /v1/sagas/{name}/retry", saga_json("running", id=name), status=202)

    unasked = saga("retry", "--status", "stuck", "--saga", "order", service=service)
    wanted = saga("retry", "--status", "stuck", "--saga", "order", "--yes", service=service)

    assert unasked.exit_code == 2
    assert "would retry 2 sagas (stuck order)" in unasked.stderr
    assert "--yes" in unasked.stderr
    assert wanted.stdout == "order a  ▶ running\norder b  ▶ running\n"
    assert [request["path"] for request in service.requests].count("/v1/sagas/a/retry") == 1
    assert service.requests[0]["query"] == "saga=order&status=stuck&limit=100"


def test_none_of_a_kind_is_no_failure(service: ScriptedService) -> None:
    service.on("GET /v1/sagas", {"items": [], "next": None})

    result = saga("retry", "--status", "stuck", service=service)

    assert (result.exit_code, "none was found" in result.stderr) == (0, True)


@pytest.mark.parametrize(
    "wrong",
    [
        ("cancel",),
        ("cancel", "one", "--status", "running"),
        ("cancel", "one", "two", "--if-revision", "3"),
        ("cancel", "--status", "running", "--if-revision", "3"),
        ("cancel", "--status", "done"),
        ("skip", "one"),
        ("skip", "one", "--reason", "x", "--data", "[]"),
        ("retry", "one", "--wait", "soon"),
        ("show", "one", "--follow", "--history"),
        ("start", "order", "--data", "{}", "--id", "a", "--key", "b"),
        ("dead-letters", "redrive"),
        ("dead-letters", "redrive", "a", "--all"),
        ("dead-letters", "fly"),
        ("key", "new", "web"),
        ("key", "new", "web", "--scopes", "admin"),
        ("key", "new", "web", "--scopes", ","),
        ("key", "new", "a b", "--scopes", "read"),
        ("key", "new", "web", "--scopes", "read", "--expires", "soon"),
        ("key", "new", "web", "--scopes", "read", "--expires", "2020-01-31"),
    ],
)
def test_a_wrong_command_line_is_exit_code_2_and_says_what_is_right(wrong: tuple[str, ...]) -> None:
    result = saga(*wrong, SAGA_URL="http://127.0.0.1:9")

    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr
    assert "Traceback" not in result.stderr


def test_a_misspelt_command_is_put_right() -> None:
    assert "cancel" in saga("cancle", "one").stderr


def test_definitions_are_listed_shown_and_drawn(service: ScriptedService) -> None:
    summary = {"name": "order", "version": 1, "fingerprint": "f", "steps": ["a", "b"], "pivot": "b"}
    service.on("GET /v1/definitions", {"items": [summary]})
    service.on("GET /v1/definitions/order", ORDER)

    assert "a → b (pivot)" in saga("definitions", "ls", service=service).stdout
    assert json.loads(saga("definitions", "ls", "--json", service=service).stdout) == [summary]
    shown = saga("definitions", "show", "order", "--version", "1", service=service)
    assert "orders.confirm-order" in shown.stdout
    assert "customer_id, order_id (optional)" in shown.stderr
    assert saga("definitions", "show", "order", "--mermaid", service=service).stdout == "flowchart LR\n\n"
    unknown = saga("definitions", "show", "odor", service=service)
    assert unknown.exit_code == 5
