"""What every command has in common: expected errors end as a message and an exit code, never as a traceback."""

from typing import Any

import typer
from typer.core import TyperGroup

from cli.failure import Exit, Failure
from cli.terminal import note


class Commands(TyperGroup):
    """The group of all commands."""

    def invoke(self, ctx: Any) -> Any:
        """Run the chosen command."""
        try:
            return super().invoke(ctx)
        except Failure as failure:
            _end(str(failure), failure.code)
        except BrokenPipeError:
            raise typer.Exit(Exit.OTHER) from None  # Whoever read our output wants no more of it.


def _end(message: str, code: Exit) -> None:
    note(message)
    raise typer.Exit(code) from None
