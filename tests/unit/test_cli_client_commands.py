"""`saga start`, `saga ls`, `saga show` against a service that answers what it is told to."""

import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.commandline import CommandLine
from support.saga_command import saga
from support.scripted import ScriptedService, saga_json, scripted_service, step_json

DECLINED = {"step": "charge-payment", "code": "insufficient-funds", "detail": "broke can't pay 1999"}


@pytest.fixture
def service() -> Iterator[ScriptedService]:
    with scripted_service() as running:
        yield running


def test_start_prints_the_new_sagas_id_and_nothing_else(service: ScriptedService) -> None:
    service.on("POST /v1/sagas", saga_json("running"), status=202)

    result = saga("start", "order", "--data", '{"customer_id": "alice"}', service=service)

    assert (result.exit_code, result.stdout) == (0, "one\n")
    sent = json.loads(service.requests[0]["body"])
    assert sent.pop("id"), "so that it can be asked for again"
    assert sent == {"saga": "order", "data": {"customer_id": "alice"}}


def test_a_start_whose_answer_is_lost_says_how_to_start_it_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        thread = threading.Thread(target=hang_up, args=(deaf, 6))
        thread.start()
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        named = saga("start", "order", "--data", "{}", "--id", "one", "--url", url)
        keyed = saga("start", "order", "--data", "{}", "--key", "k", "--url", url)
        thread.join()

    assert (named.exit_code, named.stdout) == (1, "")
    assert "again with --id one: then it starts once" in named.stderr
    assert "again with the same --key" in keyed.stderr


def hang_up(server: socket.socket, times: int) -> None:
    """Take requests, and answer none."""
    for _ in range(times):
        connection, _ = server.accept()
        connection.recv(65_536)
        connection.close()


def test_start_sends_id_and_key_and_how_long_it_wants_to_wait(service: ScriptedService) -> None:
    service.on("POST /v1/sagas", saga_json())

    saga("start", "order", "--data", "{}", "--key", "k1", "--wait", "2.5s", service=service)
    saga("start", "order", "--data", "{}", "--id", "one", service=service)

    keyed, named = service.requests
    assert (keyed["headers"]["Idempotency-Key"], keyed["headers"]["Prefer"]) == ('"k1"', "wait=2.5")
    assert json.loads(named["body"])["id"] == "one"


@pytest.mark.parametrize(("status", "code"), [("completed", 0), ("compensated", 3), ("stuck", 4)])
def test_the_exit_code_says_how_a_saga_ended_that_was_waited_for(
    service: ScriptedService, status: str, code: int
) -> None:
    service.on("POST /v1/sagas", saga_json(status))

    result = saga("start", "order", "--data", "{}", "--wait", "10s", service=service)

    assert result.exit_code == code
    assert status in result.stdout


def test_a_saga_that_does_not_end_in_time_is_exit_code_6(service: ScriptedService) -> None:
    service.on("POST /v1/sagas", saga_json("running"), status=202)
    service.on("GET /v1/sagas/one", saga_json("running"))

    assert saga("start", "order", "--data", "{}", "--wait", "10ms", service=service).exit_code == 6
    assert saga("show", "one", "--follow", "--timeout", "10ms", service=service).exit_code == 6


def test_the_input_may_come_from_a_file_or_from_standard_input(service: ScriptedService, tmp_path: Path) -> None:
    service.on("POST /v1/sagas", saga_json())
    file = tmp_path / "order.json"
    file.write_text('{"customer_id": "bob"}')

    saga("start", "order", "--data", f"@{file}", service=service)
    saga("start", "order", "--data", "-", service=service, given='{"customer_id": "eve"}')

    assert [json.loads(request["body"])["data"]["customer_id"] for request in service.requests] == ["bob", "eve"]


@pytest.mark.parametrize(
    "wrong",
    [
        ("start", "order", "--data", "{"),
        ("start", "order", "--data", "[1]"),
        ("start", "order", "--data", "@/nowhere.json"),
        ("start", "order", "--data", "{}", "--wait", "soon"),
        ("start", "order"),
        ("ls", "--status", "done"),
        ("ls", "--since", "yesterday"),
        ("ls", "--since", "2030-01-01T12:00"),
        ("ls", "--since", "99999999999d"),
        ("key", "new", "web", "--scopes", "read", "--expires", "999999999d"),
        ("ls", "--limit", "0"),
        ("seed", "--product", "hats"),
        ("seed", "--customer", "bob"),
        ("participant",),
        ("fly",),
    ],
)
def test_a_wrong_command_line_is_exit_code_2_and_says_what_is_right(wrong: tuple[str, ...]) -> None:
    result = saga(*wrong)

    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr
    assert not any(word in result.stderr for word in ("Traceback", "timedelta"))


def test_data_the_service_refuses_is_exit_code_2_with_its_faults(service: ScriptedService) -> None:
    problem = {"detail": "The body has 1 fault.", "errors": [{"pointer": "/data/customer_id", "detail": "is missing"}]}
    service.on("POST /v1/sagas", problem, status=422)

    result = saga("start", "order", "--data", "{}", service=service)

    assert result.exit_code == 2
    assert "/data/customer_id: is missing" in result.stderr


def test_an_unknown_saga_is_exit_code_5(service: ScriptedService) -> None:
    result = saga("show", "nobody", service=service)

    assert result.exit_code == 5
    assert "saga ls" in result.stderr


def test_without_a_service_the_message_says_how_to_start_one() -> None:
    result = saga("ls", "--url", "http://127.0.0.1:9")

    assert result.exit_code == 1
    assert "saga up" in result.stderr


def test_without_url_and_data_directory_the_message_says_so_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    result = saga("ls")

    assert result.exit_code == 1
    assert "saga up" in result.stderr


def test_the_service_is_found_by_the_data_directory_of_a_directory_above(
    service: ScriptedService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.on("GET /v1/sagas", {"items": [saga_json()], "next": None})
    (tmp_path / ".saga").mkdir()
    (tmp_path / ".saga" / "service.json").write_text(json.dumps({"url": service.url, "pid": 1}))
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")

    assert "one" in saga("ls").stdout


@pytest.mark.parametrize("answer", ["<html>hello</html>", [1]])
def test_something_else_on_the_port_is_named_as_such(service: ScriptedService, answer: Any) -> None:
    service.on("GET /v1/sagas", answer)

    result = saga("ls", service=service)

    assert result.exit_code == 1
    assert "is not a saga service" in result.stderr


def test_ls_shows_a_line_for_each_saga_with_its_whole_id(service: ScriptedService) -> None:
    long_id = "i" * 64
    items = [saga_json(), saga_json("compensated", id=long_id, failure=DECLINED)]
    service.on("GET /v1/sagas", {"items": items, "next": None})

    lines = saga("ls", service=service).stdout.splitlines()

    assert len(lines) == 3
    assert "completed" in lines[1]
    assert long_id in lines[2]
    assert "insufficient-funds" in lines[2]


def test_ls_reads_page_after_page_up_to_its_limit(service: ScriptedService) -> None:
    page = [saga_json(id=f"s{n}") for n in range(100)]
    service.on("GET /v1/sagas", {"items": page, "next": "c1"}, {"items": page[:50], "next": "c2"})

    result = saga("ls", "--limit", "150", "--json", service=service)

    assert len(json.loads(result.stdout)) == 150
    assert [request["query"] for request in service.requests] == ["limit=100", "limit=50&cursor=c1"]


def test_ls_goes_on_behind_a_page_with_nothing_on_it(service: ScriptedService) -> None:
    service.on("GET /v1/sagas", {"items": [], "next": "c1"}, {"items": [saga_json(id="old-1")], "next": None})

    result = saga("ls", "--id", "old", service=service)

    assert ("old-1" in result.stdout, result.stderr) == (True, "")
    assert [request["query"] for request in service.requests] == ["q=old&limit=20", "q=old&limit=20&cursor=c1"]


def test_ls_sends_its_filters(service: ScriptedService) -> None:
    service.on("GET /v1/sagas", {"items": [], "next": None})

    result = saga("ls", "--saga", "order", "--status", "stuck", "--since", "2030-01-01T12:00Z", service=service)

    assert (result.stdout, "No sagas" in result.stderr) == ("", True)
    assert service.requests[0]["query"].startswith("saga=order&status=stuck&since=2030-01-01T12%3A00%3A00%2B00%3A00&")


def test_show_is_a_tree_of_steps_with_their_marks_and_the_reason(service: ScriptedService) -> None:
    steps = [
        step_json("reserve-stock", "compensated", attempts=3),
        step_json("charge-payment", "rejected", error={"code": "insufficient-funds", "detail": "can't pay"}),
        step_json("confirm", "pending"),
    ]
    service.on("GET /v1/sagas/one", saga_json("compensated", steps=steps, failure=DECLINED))

    result = saga("show", "one", service=service)

    assert result.exit_code == 0
    head, reserve, charge, confirm = result.stdout.splitlines()
    assert "order one" in head
    assert "12 ms" in head
    assert "↶ reserve-stock" in reserve
    assert "attempt 3" in reserve
    assert "✘ charge-payment" in charge
    assert "insufficient-funds (can't pay)" in charge
    assert "· confirm" in confirm


def test_a_reason_that_no_step_shows_has_a_line_of_its_own(service: ScriptedService) -> None:
    failure = {"step": None, "code": "cancelled", "detail": "changed my mind"}
    service.on("GET /v1/sagas/one", saga_json("compensated", failure=failure))

    assert "because cancelled (changed my mind)" in saga("show", "one", service=service).stdout


def test_show_says_what_a_saga_waits_for(service: ScriptedService) -> None:
    service.on("GET /v1/sagas/one", saga_json("running", waiting_for="Waits since noon for payment."))

    assert "Waits since noon for payment." in saga("show", "one", service=service).stdout


def test_show_as_json_is_what_the_service_said(service: ScriptedService) -> None:
    service.on("GET /v1/sagas/one", saga_json())

    assert json.loads(saga("show", "one", "--json", service=service).stdout) == saga_json()


def test_follow_shows_every_change_until_the_end(service: ScriptedService) -> None:
    running = saga_json("running", revision=1)
    service.on("GET /v1/sagas/one", running, running, saga_json("compensating", revision=2), saga_json("compensated"))

    result = saga("show", "one", "--follow", "--json", service=service)

    assert result.exit_code == 3
    shown = [json.loads(line)["status"] for line in result.stdout.splitlines()]
    assert shown == ["running", "compensating", "compensated"]


def test_follow_ends_where_a_person_is_needed(service: ScriptedService) -> None:
    service.on("GET /v1/sagas/one", saga_json("running", revision=1), saga_json("stuck"))

    result = saga("show", "one", "--follow", service=service)

    assert result.exit_code == 4
    assert "stuck" in result.stdout
    assert "revision 1: ▶ running" in result.stderr


def test_the_version_is_told() -> None:
    assert saga("--version").stdout.startswith("saga ")


def test_a_terminal_without_unicode_still_gets_the_words(service: ScriptedService, tmp_path: Path) -> None:
    service.on("GET /v1/sagas/one", saga_json())

    result = CommandLine(tmp_path, {"PYTHONIOENCODING": "ascii", "SAGA_URL": service.url}).run("show", "one")

    assert result.returncode == 0
    assert "? reserve-stock" in result.stdout
