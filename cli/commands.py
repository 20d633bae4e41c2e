"""What every command has in common: expected errors end as a message and an exit code, never as a traceback."""

from typing import Any

import typer
from typer.core import TyperGroup

from adapters.errors import Unavailable
from adapters.servers import ServerFailed, ServerMissing
from cli.failure import Exit, Failure
from cli.terminal import note
from orchestrator.in_flight import ChangedDefinition
from orchestrator.settings import InvalidSettings
from sagas import InvalidDefinition

#: Errors whose own words say what to do.
_EXPECTED = (ServerMissing, ServerFailed, InvalidDefinition, ChangedDefinition)


class Commands(TyperGroup):
    """The group of all commands."""

    def invoke(self, ctx: Any) -> Any:
        """Run the chosen command."""
        try:
            return super().invoke(ctx)
        except Failure as failure:
            _end(str(failure), failure.code)
        except _EXPECTED as error:
            _end(str(error), Exit.OTHER)
        except InvalidSettings as error:
            _end(str(error), Exit.USAGE)
        except Unavailable as error:
            _end(f"{error}. Is the database up? `saga up` and `saga servers` start one.", Exit.OTHER)
        except BrokenPipeError:
            raise typer.Exit(Exit.OTHER) from None  # Whoever read our output wants no more of it.


def _end(message: str, code: Exit) -> None:
    note(message)
    raise typer.Exit(code) from None
