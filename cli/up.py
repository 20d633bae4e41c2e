"""`saga up`: databases, orchestrator and participants, in one process or as supervised children."""

import asyncio
import os
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

import orchestrator.app
from adapters.logs import configure
from adapters.process import run
from adapters.servers.process import free_port
from adapters.tracing.configuration import tracing
from cli.banner import banner, unanswered
from cli.data_directory import DataDirectory
from cli.databases import Databases, databases
from cli.expected import explaining
from cli.failure import Failure
from cli.lookup import find_participant
from cli.one_process import services
from cli.seeding import seed_what_is_missing
from cli.stopping import Stopping
from cli.supervisor import Supervisor
from cli.terminal import note
from cli.variables import remarks
from client import SagaClient
from orchestrator.settings import Settings
from participants.app import SHIPPED
from participants.participant import Participant
from sagas import Definitions

_Participants = Mapping[str, Participant]  #: by what they were called on the command line
_Greet = Callable[[str], None]  #: says that everything runs, and the service at this URL

_POLL_S = 0.1
_ANSWERS_WITHIN_S = 5.0
_COMES_UP_WITHIN_S = 60.0
_PORT_FREED_WITHIN_S = 15.0  #: after a supervisor was killed its children still end in order


@explaining
def run_everything(
    data: DataDirectory, port: int | None, processes: bool, sagas: Sequence[str], own: Sequence[str]
) -> None:
    """Everything, until told to stop; `sagas` are modules of the user's, `own` participants."""
    # First: a mistyped name, or a module that can't be imported, shows before anything has been started.
    participants = {name: find_participant(name) for name in (*SHIPPED, *own)}
    own_sagas = list(Definitions.load(",".join(sagas))) if sagas else []
    with data.locked("service"), databases(data) as where:
        settings = where.settings(**({} if port is None else {"http_port": port})).with_definitions(sagas)
        settings = settings.model_copy(update={"http_port": _free(settings, data)})
        configure(settings.log_level, settings.log_format)
        silent = unanswered(Definitions.load(settings.definitions), participants.values())
        said = [*silent, *remarks(os.environ)]

        def greet(url: str) -> None:
            print(banner(url, where, own_sagas, said), flush=True)

        everything = _as_processes if processes else _in_one_process
        with suppress(KeyboardInterrupt):  # Before `Stopping` listens, Ctrl-C still comes as this.
            run(everything(data, where, settings, participants, greet))
    note("Ended.")


async def _in_one_process(
    data: DataDirectory, where: Databases, settings: Settings, participants: _Participants, greet: _Greet
) -> None:
    stopping = Stopping()
    await seed_what_is_missing(where.participant_settings)
    with tracing(orchestrator.app.SERVICE) as tracer:
        async with services(settings, where, list(participants.values()), tracer) as url:
            with data.announced(url, where.own):
                greet(url)
                await stopping.wait()


async def _as_processes(
    data: DataDirectory, where: Databases, settings: Settings, participants: _Participants, greet: _Greet
) -> None:
    children = {"orchestrator": ["serve", "--port", str(settings.http_port)]}
    children |= {participant.name: ["participant", name] for name, participant in participants.items()}
    url = f"http://{_host(settings)}:{settings.http_port}"
    stopping = Stopping()
    await seed_what_is_missing(where.participant_settings)
    environment = {**os.environ, **where.environment, "SAGA_DEFINITIONS": settings.definitions}
    environment.pop("SAGA_METRICS_PORT", None)  # Each of them would want the same one.
    supervisor = Supervisor(data, environment, children)
    with data.announced(url, where.own):
        ready = asyncio.create_task(_announce_when_ready(url, greet, supervisor))
        try:
            await supervisor.run(stopping)
        finally:
            ready.cancel()


async def _announce_when_ready(url: str, greet: _Greet, supervisor: Supervisor) -> None:
    end = time.monotonic() + _COMES_UP_WITHIN_S
    async with SagaClient(url, timeout_s=_ANSWERS_WITHIN_S) as client:
        while not (ready := (await client.readiness()).ready) and time.monotonic() < end:  # noqa: ASYNC110
            await asyncio.sleep(_POLL_S)
    supervisor.came_up()
    if ready:
        greet(url)
    else:
        note(f"The orchestrator is still not ready; {url}/readyz says why.")


def _free(settings: Settings, data: DataDirectory) -> int:
    """The port to listen on. Raises `Failure` where somebody else has it."""
    if settings.http_port == 0:
        return free_port()
    end = time.monotonic() + (_PORT_FREED_WITHIN_S if data.has_processes() else 0)
    while not is_free(settings.http_host, settings.http_port):
        if time.monotonic() > end:
            raise Failure(
                f"Port {settings.http_port} is taken by another program. "
                "Choose another with --port, or --port 0 for any free one."
            )
        time.sleep(_POLL_S)
    return settings.http_port


def is_free(host: str, port: int) -> bool:
    """Whether nobody listens there."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def _host(settings: Settings) -> str:
    return f"[{settings.http_host}]" if ":" in settings.http_host else settings.http_host
