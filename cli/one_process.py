"""All services in one process and one event loop: `saga up` without --processes, and `saga demo`."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from cli.databases import Databases
from orchestrator.settings import Settings
from participants.participant import Participant


@asynccontextmanager
async def services(settings: Settings, where: Databases, participants: Sequence[Participant]) -> AsyncIterator[str]:
    """The orchestrator and the participants; yields the orchestrator's URL once it can be used."""
    raise NotImplementedError
    yield ""
