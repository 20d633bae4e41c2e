"""The `saga` command run in this process, against a service that answers what it is told to."""

from typer.testing import CliRunner, Result

from cli.main import app
from support.scripted import ScriptedService


def saga(
    *arguments: str, service: ScriptedService | None = None, given: str | None = None, **environment: str
) -> Result:
    """One command to its end. Nothing here is a terminal."""
    where = {"SAGA_URL": service.url} if service else {}
    cleared = {"NO_COLOR": "1", "SAGA_URL": None, "SAGA_API_KEY": None}
    return CliRunner(env={**cleared, **where, **environment}).invoke(app, list(arguments), input=given)
