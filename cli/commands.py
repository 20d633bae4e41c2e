"""What every command has in common: expected errors end as a message and an exit code, never as a traceback."""

from typing import Any, NoReturn

import typer
from typer.core import TyperGroup

from cli.failure import Exit, Failure
from cli.service import explained
from cli.terminal import note
from client import SagaError


class Commands(TyperGroup):
    """The group of all commands."""

    def invoke(self, ctx: Any) -> Any:
        """Run the chosen command."""
        try:
            return super().invoke(ctx)
        except Failure as failure:
            _end(failure)
        except SagaError as error:
            _end(explained(error))
        except BrokenPipeError:
            raise typer.Exit(Exit.OTHER) from None  # Whoever read our output wants no more of it.


def _end(failure: Failure) -> NoReturn:
    note(str(failure))
    raise typer.Exit(failure.code) from None
