"""API keys on the command line: from the environment, never an argument."""

from collections.abc import Iterator

import pytest
from typer.testing import CliRunner

from cli.main import app
from support.scripted import ScriptedService, saga_json, scripted_service


@pytest.fixture
def service() -> Iterator[ScriptedService]:
    with scripted_service() as running:
        yield running


def test_the_key_of_the_environment_is_sent(service: ScriptedService) -> None:
    service.on("GET /v1/sagas/one", saga_json("completed"))
    CliRunner(env={"SAGA_URL": service.url, "SAGA_API_KEY": "secret"}).invoke(app, ["show", "one"])
    assert service.requests[0]["headers"]["Authorization"] == "Bearer secret"


def test_without_a_key_the_error_says_where_to_put_one(service: ScriptedService) -> None:
    service.on("GET /v1/sagas/one", {"title": "Not authenticated", "status": 401}, status=401)
    result = CliRunner(env={"SAGA_URL": service.url, "SAGA_API_KEY": None}).invoke(app, ["show", "one"])
    assert result.exit_code == 1
    assert "SAGA_API_KEY" in result.stderr
    assert "Authorization" not in service.requests[0]["headers"]
