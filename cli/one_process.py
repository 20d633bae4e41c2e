"""All services in one process and one event loop: `saga up` without --processes, and `saga demo`."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import structlog

from adapters.tracing.port import Tracer
from cli.databases import Databases
from orchestrator.app import Orchestrator
from orchestrator.serving import HttpServer
from orchestrator.settings import Settings
from participants.app import build
from participants.participant import Participant

log = structlog.get_logger(__name__)


@asynccontextmanager
async def services(
    settings: Settings, where: Databases, participants: Sequence[Participant], tracer: Tracer | None = None
) -> AsyncIterator[str]:
    """The participants and the orchestrator; yields the latter's URL once it answers. Afterwards all end in order.

    Signals are the caller's. Raises `OSError` where the port is taken, `InvalidDefinition`, `ChangedDefinition`.
    """
    orchestrator = Orchestrator(settings, tracer=tracer)
    orchestrator.failed.add_done_callback(_tell)
    server = HttpServer(orchestrator.app, settings.http_host, settings.http_port, orchestrator.services.limits)
    working = build(*participants, settings=where.participant_settings, tracer=tracer)
    try:
        await working.start()
        await orchestrator.start()
        async with _answering(server, orchestrator, settings.shutdown_timeout_s / 2):
            yield server.url
    finally:
        server.close()
        await orchestrator.stop(settings.shutdown_timeout_s / 2)
        await working.stop()


def _tell(failed: asyncio.Future[None]) -> None:
    if not failed.cancelled() and (error := failed.exception()) is not None:
        log.error("not-started", reason=f"{type(error).__name__}: {error}")


@asynccontextmanager
async def _answering(server: HttpServer, orchestrator: Orchestrator, grace_s: float) -> AsyncIterator[None]:
    stop, ready = asyncio.Event(), asyncio.Event()
    serving = asyncio.create_task(server.run(stop, ready.set, grace_s))
    try:
        await ready.wait()
        yield
    finally:
        orchestrator.services.stopping.set()  # Requests that wait for a saga's end are answered now.
        stop.set()
        await serving
