"""`saga servers`, `saga serve`, `saga participant`: each part by itself, for several terminals or machines."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer
import uvloop

import orchestrator.app
from cli.arguments import Directory
from cli.data_directory import NAME, DataDirectory
from cli.databases import databases, participant_settings
from cli.lookup import find_participant
from cli.stopping import Stopping
from cli.terminal import note
from orchestrator.logs import configure
from orchestrator.settings import Settings
from participants.app import build, serve


def servers(
    directory: Directory = Path(NAME),
    detach: Annotated[
        bool, typer.Option("--detach", help="Leave them running; whoever comes next adopts them.")
    ] = False,
) -> None:
    """Run only MongoDB and Redis. Prints the variables by which services find them.

    Stays until Ctrl-C, which stops them; their data stays.
    """
    data = DataDirectory(directory)
    with databases(data, leave=detach) as where:
        for name, value in where.environment.items():
            print(f"export {name}='{value}'", flush=True)
        if not detach:
            note("Both run; Ctrl-C stops them.")
            asyncio.run(_until_stopped())


async def _until_stopped() -> None:
    await Stopping().wait()


def participant_command(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="inventory, payment, orders, or your own module:attribute.")
    ],
) -> None:
    """Run one participant, on the databases that SAGA_MONGO_URL and SAGA_REDIS_URL name."""
    settings = Settings.load()
    configure(settings.log_level, settings.log_format)
    participant = find_participant(name)
    note(f"Participant {participant.name} runs.")
    uvloop.run(serve(build(participant, settings=participant_settings())))


def serve_command(
    port: Annotated[int | None, typer.Option(min=0, max=65_535, help="HTTP port; 0 takes any free one.")] = None,
) -> None:
    """Run the orchestrator alone, on the databases that SAGA_MONGO_URL and SAGA_REDIS_URL name."""
    settings = Settings.load(**({} if port is None else {"http_port": port}))
    configure(settings.log_level, settings.log_format)
    uvloop.run(orchestrator.app.serve(settings, ready=lambda url: note(f"The orchestrator answers at {url}.")))
