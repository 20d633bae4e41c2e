"""The commands for whoever runs a service: `saga doctor`, `saga bench`. What they do is imported when it is done."""

from typing import Annotated

import typer

from cli.arguments import AsJson, Url, duration_s


def doctor(
    participant: Annotated[
        list[str] | None, typer.Option(metavar="MODULE:ATTRIBUTE", help="A participant of your own; may be repeated.")
    ] = None,
    timeout: Annotated[str, typer.Option(help="How long each look at a server may take.")] = "5s",
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Look at everything that a service needs: name what is wrong, and what to do about it.

    Finds the databases by SAGA_MONGO_URL and SAGA_REDIS_URL, else by what .saga/ says. Changes nothing. Exit code: 0
    nothing failed (warnings don't count), 1 something did.
    """
    from cli.doctor.run import run_doctor  # noqa: PLC0415

    raise typer.Exit(run_doctor(url, participant or [], duration_s(timeout, "--timeout"), as_json))
