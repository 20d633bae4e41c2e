"""Each part by itself, for several terminals or machines: only the databases, the orchestrator, one participant."""

import asyncio
import os
from collections.abc import Sequence

import orchestrator.app
from adapters.logs import configure
from adapters.process import run
from adapters.tracing.configuration import tracing
from cli.data_directory import DataDirectory
from cli.databases import databases, participant_settings
from cli.expected import explaining
from cli.failure import Exit, Failure
from cli.lookup import find_participant
from cli.stopping import Stopping
from cli.terminal import note
from cli.variables import remarks
from orchestrator.settings import Settings
from participants.app import SERVICE, build, serve


@explaining
def run_servers(directory: DataDirectory, detach: bool, redis: str) -> None:
    """Both databases, until told to stop; `detach` leaves them running."""
    with databases(directory, leave=detach, redis=redis) as where:
        for name, value in where.environment.items():
            print(f"export {name}='{value}'", flush=True)
        if not detach:
            asyncio.run(_until_stopped())


async def _until_stopped() -> None:
    stopping = Stopping()
    note("Both run; Ctrl-C stops them.")
    await stopping.wait()


@explaining
def run_orchestrator(port: int | None, sagas: Sequence[str]) -> None:
    """The orchestrator, on the databases that the environment names; `sagas` are modules of the user's."""
    settings = Settings.load(**({} if port is None else {"http_port": port})).with_definitions(sagas)
    configure(settings.log_level, settings.log_format)
    for remark in remarks(os.environ):
        note(remark)
    with tracing(orchestrator.app.SERVICE) as tracer:
        serving = orchestrator.app.serve(
            settings, ready=lambda url: note(f"The orchestrator answers at {url}."), tracer=tracer
        )
        run(serving)


@explaining
def run_participant(name: str) -> None:
    """One participant, on the databases that the environment names."""
    settings = participant_settings()
    if settings.problem:
        raise Failure(settings.problem, Exit.USAGE)
    configure(settings.log_level, settings.log_format)
    participant = find_participant(name)
    note(f"Participant {participant.name} runs.")
    with tracing(f"{SERVICE}{participant.name}") as tracer:
        run(serve(build(participant, settings=settings, tracer=tracer)))
