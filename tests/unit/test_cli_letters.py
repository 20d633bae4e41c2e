"""`saga dead-letters`: one by one, and all at once."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from support.saga_command import saga
from support.scripted import ScriptedService, scripted_service


def letter(name: str, **changes: Any) -> dict[str, Any]:
    return {
        "id": name * 32,
        "stream": "saga.replies",
        "entry_id": "1-1",
        "at": "2030-01-01T12:00:00.000Z",
        "reason": "unreadable",
        "saga_id": "one",
        "type": None,
        "truncated": False,
        "redrives": 0,
        "redriven_at": None,
        "redriven_by": None,
    } | changes


LETTERS = [
    letter("a"),
    letter("b", redrives=1),
    letter("c", truncated=True),
    letter("d", stream="saga.commands.payment"),
]

BEGINS = letter("e", stream="orders-stream")


@pytest.fixture
def service() -> Iterator[ScriptedService]:
    with scripted_service() as running:
        running.on("GET /v1/dead-letters", {"items": LETTERS, "next": None})
        for one in [*LETTERS, BEGINS]:
            path = f"/v1/dead-letters/{one['id']}"
            running.on(f"GET {path}", one | {"fields": {"id": "x", "data": "{}"}})
            running.on(f"POST {path}/redrive", one, status=202)
            running.on(f"DELETE {path}", "", status=204)
        yield running


def done(service: ScriptedService, end: str = "") -> list[str]:
    """The letters that something was done to."""
    paths = [request["path"] for request in service.requests if request["path"].endswith(end)]
    return [path.split("/")[3][0] for path in paths if path.count("/") > 2]


def test_they_are_listed_and_shown(service: ScriptedService) -> None:
    listed = saga("dead-letters", "ls", service=service)
    shown = saga("dead-letters", "show", "a" * 32, service=service)

    assert len(listed.stdout.splitlines()) == 5
    assert "b" * 32 in listed.stdout
    assert "fields.data" in shown.stdout
    assert f"saga dead-letters redrive {'a' * 32}" in shown.stderr
    assert json.loads(saga("dead-letters", "ls", "--json", service=service).stdout) == LETTERS
    assert json.loads(saga("dead-letters", "show", "a" * 32, "--json", service=service).stdout)["fields"]["id"] == "x"
    assert "can't be redriven" in saga("dead-letters", "show", "c" * 32, service=service).stderr


def test_one_is_redriven_without_being_asked_about(service: ScriptedService) -> None:
    result = saga("dead-letters", "redrive", "a" * 32, "--again", service=service)

    assert result.exit_code == 0
    assert "of saga.replies was given another try" in result.stderr
    assert service.requests[0]["query"] == "again=true"


def test_nobody_is_told_that_a_stream_of_others_was_written_to(service: ScriptedService) -> None:
    shown = saga("dead-letters", "show", BEGINS["id"], service=service)
    result = saga("dead-letters", "redrive", BEGINS["id"], service=service)

    assert result.stderr.strip() == f"{BEGINS['id']} of orders-stream was given another try."
    assert "on its stream" not in shown.stderr


@pytest.mark.parametrize(
    ("more", "redriven"),
    [((), ["a", "d"]), (("--again",), ["a", "b", "d"]), (("--stream", "saga.replies"), ["a"])],
)
def test_all_that_can_be_are_redriven(service: ScriptedService, more: tuple[str, ...], redriven: list[str]) -> None:
    unasked = saga("dead-letters", "redrive", "--all", *more, service=service)
    assert (unasked.exit_code, done(service, "/redrive")) == (2, [])

    result = saga("dead-letters", "redrive", "--all", "--yes", "--json", *more, service=service)

    assert done(service, "/redrive") == redriven
    assert [json.loads(line)["id"][0] for line in result.stdout.splitlines()] == redriven
    assert result.exit_code == 0


def test_deleting_is_asked_about(service: ScriptedService) -> None:
    unasked = saga("dead-letters", "delete", "a" * 32, service=service)
    assert unasked.exit_code == 2
    assert "delete 1 dead letter." in unasked.stderr
    assert service.requests == []

    assert saga("dead-letters", "delete", "a" * 32, "--yes", service=service).exit_code == 0
    assert done(service) == ["a"]


def test_an_unknown_one_is_exit_code_5(service: ScriptedService) -> None:
    problem = {"type": "/problems/dead-letter-not-found", "status": 404, "detail": "No dead letter has this id."}
    service.on("GET /v1/dead-letters/x", problem, status=404)

    result = saga("dead-letters", "show", "x", service=service)

    assert result.exit_code == 5
    assert "saga dead-letters ls" in result.stderr


def test_what_was_in_a_message_does_not_drive_the_terminal() -> None:
    hostile = letter("e", reason="no input: \x1b]0;owned\x07", saga_id="\x9b2J") | {"fields": {"x\x1b[2J": "a\rb"}}
    with scripted_service() as service:
        service.on("GET /v1/dead-letters", {"items": [hostile], "next": None})
        service.on(f"GET /v1/dead-letters/{hostile['id']}", hostile)
        listed = saga("dead-letters", "ls", service=service).stdout
        shown = saga("dead-letters", "show", hostile["id"], service=service).stdout
        told = saga("dead-letters", "show", hostile["id"], "--json", service=service).stdout

    for text in (listed, shown, told):
        assert text.replace("\n", "").isprintable()
    assert "\\u001b]0;owned" in listed
    assert json.loads(told) == hostile
