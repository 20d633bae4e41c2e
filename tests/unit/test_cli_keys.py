"""API keys on the command line: made there, and taken from the environment, never an argument."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.keys import Access, KeyRing, parse_keys
from support.saga_command import saga
from support.scripted import ScriptedService, saga_json, scripted_service


@pytest.fixture
def service() -> Iterator[ScriptedService]:
    with scripted_service() as running:
        yield running


def test_the_key_of_the_environment_is_sent(service: ScriptedService) -> None:
    service.on("GET /v1/sagas/one", saga_json("completed"))
    saga("show", "one", service=service, SAGA_API_KEY="secret")
    assert service.requests[0]["headers"]["Authorization"] == "Bearer secret"


def test_without_a_key_the_error_says_where_to_put_one(service: ScriptedService) -> None:
    service.on("GET /v1/sagas/one", {"title": "Not authenticated", "status": 401}, status=401)
    result = saga("show", "one", service=service)
    assert result.exit_code == 1
    assert "SAGA_API_KEY" in result.stderr
    assert "Authorization" not in service.requests[0]["headers"]


@pytest.mark.parametrize("command", [("ls",), ("watch",), ("doctor",)])
def test_a_key_that_can_be_none_is_refused_and_never_shown(service: ScriptedService, command: tuple[str, ...]) -> None:
    result = saga(*command, service=service, SAGA_API_KEY="secret\n")
    assert result.exit_code == 2
    assert "SAGA_API_KEY" in result.stderr
    assert "secret" not in result.output
    assert service.requests == []


def test_a_new_key_is_shown_once_with_its_entry() -> None:
    result = saga("key", "new", "web", "--scopes", "start,read")

    secret, entry = result.stdout.splitlines()
    key = KeyRing(parse_keys(entry)).find(secret)
    assert key is not None
    assert (key.name, key.scopes, key.expires) == ("web", frozenset({Access.READ, Access.START}), None)
    assert len(secret) >= 43, "256 bits"
    assert secret not in entry
    assert secret not in result.stderr
    assert "SAGA_API_KEYS" in result.stderr


def test_no_two_keys_are_the_same() -> None:
    made = [saga("key", "new", "web", "--scopes", "read").stdout.splitlines()[0] for _ in range(3)]
    assert len(set(made)) == 3


@pytest.mark.parametrize("expires", ["2130-01-31", "2130-01-31T12:00:00Z", "90d"])
def test_a_key_may_expire(expires: str) -> None:
    told = json.loads(saga("key", "new", "web", "--scopes", "read", "--expires", expires, "--json").stdout)

    (key,) = parse_keys(told["entry"])
    assert key.expires is not None
    assert told["expires"] == key.expires.isoformat()
    assert KeyRing([key]).find(told["key"]) is key


def test_keys_are_added_to_a_file_that_only_its_owner_reads(tmp_path: Path) -> None:
    file = tmp_path / "keys"

    first = saga("key", "new", "web", "--scopes", "read", "--file", str(file)).stdout.splitlines()[0]
    second = saga("key", "new", "web", "--scopes", "read", "--file", str(file)).stdout.splitlines()[0]

    ring = KeyRing(file=file)
    assert ring.find(first)
    assert ring.find(second)
    assert file.stat().st_mode & 0o077 == 0
    third = saga("key", "new", "web", "--scopes", "read", "--file", str(file))
    assert third.exit_code == 2
    assert "web has 3 keys" in third.stderr
    assert third.stdout == ""
    assert len(parse_keys(file.read_text())) == 2


def test_a_file_that_can_not_be_written_is_said_so(tmp_path: Path) -> None:
    result = saga("key", "new", "web", "--scopes", "read", "--file", str(tmp_path / "nowhere" / "keys"))
    assert (result.exit_code, result.stdout) == (1, "")
    assert "can't write" in result.stderr
