"""`saga watch` and `saga show --follow`, told by the service's stream of events; and Ctrl-C."""

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.commandline import CommandLine
from support.saga_command import saga
from support.scripted import Events, ScriptedService, saga_json, scripted_service, told

STREAM = "GET /v1/sagas/events"


@pytest.fixture
def service() -> Iterator[ScriptedService]:
    with scripted_service() as running:
        yield running


@pytest.fixture
def line(service: ScriptedService, tmp_path: Path) -> CommandLine:
    return CommandLine(tmp_path, {"SAGA_URL": service.url})


def asked(service: ScriptedService, path: str) -> list[str | None]:
    return [one["headers"].get("Last-Event-ID") for one in service.requests if one["path"] == path]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_every_transition_is_a_line_until_ctrl_c(
    line: CommandLine, service: ScriptedService, number: signal.Signals
) -> None:
    first = Events(told(4, token="t1"))
    service.on(STREAM, first, Events(told(1, "two", token="t2", events=["step-rejected"], code="sold-out", attempt=2)))

    with line.running("watch") as watching:
        await watching.says("sold-out")
        assert watching.end(number) == 0

    one, two = [text for text in watching.said.splitlines() if " order " in text]
    assert one.split()[1:] == ["order", "one", "▶", "running", "step-succeeded", "reserve-stock"]
    assert "two" in two
    assert "step-rejected reserve-stock (attempt 2) sold-out" in two
    assert asked(service, "/v1/sagas/events")[:2] == [None, "t1"]
    assert "Traceback" not in watching.said


async def test_programs_read_json_and_can_go_on_behind_a_line(line: CommandLine, service: ScriptedService) -> None:
    service.on(STREAM, Events(told(1, "two", token="t8", saga="gift")))

    with line.running("watch", "--json", "--saga", "gift", "--after", "t6") as watching:
        await watching.says('"t8"')
        assert watching.end() == 0

    (transition,) = [json.loads(text) for text in watching.said.splitlines() if text.startswith("{")]
    assert (transition["saga_id"], transition["position"]) == ("two", "t8")
    assert asked(service, "/v1/sagas/events")[0] == "t6"
    assert service.requests[0]["query"] == "saga=gift"


async def test_what_is_missing_is_said_and_watching_goes_on(line: CommandLine, service: ScriptedService) -> None:
    service.on(
        STREAM,
        Events(told(4, token="t1")),
        Events("event: reset\nid: t8\ndata: {}\n\n"),
        Events(told(1, "two", token="t9")),
    )

    with line.running("watch") as watching:
        await watching.says(" two ")
        assert watching.end() == 0

    assert "Some transitions are missing here" in watching.said
    assert asked(service, "/v1/sagas/events")[:3] == [None, "t1", "t8"]


def test_a_service_that_is_away_is_an_error_at_once() -> None:
    result = saga("watch", SAGA_URL="http://127.0.0.1:9")

    assert (result.exit_code, result.stdout) == (1, "")
    assert "saga up" in result.stderr


def test_follow_looks_when_the_stream_says_so(service: ScriptedService) -> None:
    service.on("GET /v1/sagas/one", saga_json("running", revision=1), saga_json("completed", revision=3))
    service.on("GET /v1/sagas/one/events", Events(": ping\n\n" + told(1) + told(3, status="completed")))

    result = saga("show", "one", "--follow", "--json", service=service)

    assert (result.exit_code, len(result.stdout.splitlines())) == (0, 2)
    assert [one["path"] for one in service.requests] == ["/v1/sagas/one", "/v1/sagas/one/events", "/v1/sagas/one"]
    assert asked(service, "/v1/sagas/one/events") == ["1"]


def test_follow_goes_on_behind_a_connection_that_broke_off(service: ScriptedService) -> None:
    service.on(
        "GET /v1/sagas/one",
        saga_json("running", revision=1),
        saga_json("running", revision=2),
        saga_json("compensated", revision=3),
    )
    service.on("GET /v1/sagas/one/events", Events(told(2)), Events(told(3, status="compensated")))

    result = saga("show", "one", "--follow", service=service)

    assert result.exit_code == 3
    assert "revision 2" in result.stderr
    assert "compensated" in result.stdout
    assert asked(service, "/v1/sagas/one/events") == ["1", "2"]


def test_a_saga_that_has_ended_is_not_followed(service: ScriptedService) -> None:
    service.on("GET /v1/sagas/one", saga_json("completed"))

    assert saga("show", "one", "--follow", service=service).exit_code == 0
    assert len(service.requests) == 1


def test_without_a_stream_the_saga_is_looked_at_again_and_again(service: ScriptedService) -> None:
    service.on("GET /v1/sagas/one", saga_json("running", revision=1), saga_json("stuck", revision=2))

    result = saga("show", "one", "--follow", service=service)

    assert result.exit_code == 4
    assert "No events" in result.stderr
    assert "! stuck" in result.stdout


def test_wait_ends_with_the_saga(service: ScriptedService) -> None:
    service.on("GET /v1/sagas/one", saga_json("running"), saga_json("compensated"))

    result = saga("wait", "one", "--timeout", "6s", service=service)

    assert result.exit_code == 3
    assert "compensated" in result.stdout
    assert service.requests[1]["headers"]["Prefer"] == "wait=5"


def test_waiting_too_long_is_exit_code_6(service: ScriptedService) -> None:
    service.on("GET /v1/sagas/one", saga_json("running"))

    assert saga("wait", "one", "--timeout", "20ms", service=service).exit_code == 6
