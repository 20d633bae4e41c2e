"""Which processes a run consists of, what each is told, and where it finds its servers: at the end of a wire."""

import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

import httpx

from adapters.process import PLANNED_FAULTS
from adapters.servers.process import free_port
from adapters.streams.names import Streams
from chaos.faults import Point
from chaos.real import evidence, workload
from chaos.real.launch import ORCHESTRATOR, versions
from chaos.real.processes import AT_WORK, Processes
from chaos.real.proxy import Wire
from chaos.real.servers import RealServers
from chaos.real.setup import Setup
from chaos.standins import endpoints, outside
from participants.participant import Participant
from sagas import Saga
from sagas.imports import named


class Services:
    """The services of one run. Raises `InvalidDefinition` where the setup names what is not there."""

    def __init__(self, setup: Setup, plan: Path, servers: RealServers, wires: Mapping[Point, Wire]) -> None:
        self._setup = setup
        self._plan = plan
        self._servers = servers
        self._wires = wires
        self._ports = {f"orchestrator-{number}": free_port() for number in range(1, setup.orchestrators + 1)}
        self.known = 1  #: versions of the saga, to an orchestrator that starts now

    @property
    def urls(self) -> list[str]:
        """Where the orchestrators answer."""
        return [f"http://127.0.0.1:{port}" for port in self._ports.values()]

    async def begin(self, processes: Processes) -> None:
        """Start all of them."""
        for name in self._ports:
            await processes.begin(name, ORCHESTRATOR, self._orchestrator)
        for role, reference in players(self._setup).items():
            for number in range(1, self._setup.instances + 1):
                await processes.begin(f"{role}-{number}", role, partial(self._participant, reference))

    async def ready(self, client: httpx.AsyncClient, processes: Processes) -> bool:
        """Whether every orchestrator is, and every process is at work."""
        at_work = all(child.has_said(AT_WORK, 0) for child in processes.children.values())
        return at_work and all([await _is_ready(client, url) for url in self.urls])

    def environment(self, name: str, role: str) -> Mapping[str, str]:
        """What a process finds in its environment, beside our own."""
        is_orchestrator = role == ORCHESTRATOR
        redis = self._wires.get(Point.ORCHESTRATOR_REDIS if is_orchestrator else Point.PARTICIPANT_REDIS)
        mongo = self._wires.get(Point.ORCHESTRATOR_MONGODB if is_orchestrator else Point.PARTICIPANT_MONGODB)
        return {
            "SAGA_MONGO_URL": f"mongodb://127.0.0.1:{mongo.port}/?directConnection=true"
            if mongo
            else self._servers.mongo_url,
            "SAGA_REDIS_URL": f"redis://127.0.0.1:{redis.port}/0" if redis else self._servers.redis_url,
            "SAGA_DATABASE_PREFIX": evidence.PREFIX,
            "SAGA_STREAM_PREFIX": Streams().prefix,
            "SAGA_HTTP_HOST": "127.0.0.1",
            "SAGA_HTTP_PORT": str(self._ports.get(name, 0)),
            "SAGA_API_KEYS": "",
            PLANNED_FAULTS: str(self._plan),
            "PYTHONPATH": python_path(self._setup.services_from),
        }

    def _orchestrator(self) -> list[str]:
        return ["--saga", self._setup.saga, "--versions", str(self.known)]

    def _participant(self, reference: str | None) -> list[str]:
        arguments = ["--saga", self._setup.saga]
        if reference is not None:
            return [*arguments, "--from", reference]
        batch = [] if self._setup.batch else ["--alone"]
        external = [f"--external={step}" for step in self._setup.external]
        return [*arguments, "--reject-rate", str(self._setup.reject_rate), *batch, *external]


def known_sagas(setup: Setup) -> Sequence[Saga]:
    """Every version that is in flight in the run, the oldest first."""
    return versions(named(setup.saga, Saga), 2 if setup.upgraded else 1)


def players(setup: Setup) -> dict[str, str | None]:
    """The participants that the saga needs, and who plays them: `module:attribute`, or a stand-in."""
    saga = known_sagas(setup)[0]
    own = {named(reference, Participant).name: reference for reference in setup.participants}
    names = sorted({endpoint.participant for endpoint in endpoints([saga]).values()})
    calling = {type_.split(".", 1)[0] for type_ in outside(saga, setup.external)}
    return {name: own.get(name) or (None if name in calling else workload.reference(name, saga)) for name in names}


def python_path(source: Path | None = None) -> str:
    """Where a child, which runs in a directory of the run's, finds what we find; or another copy of it."""
    return os.pathsep.join(str(Path(path).absolute()) for path in (*((source,) if source else ()), *sys.path))


async def _is_ready(client: httpx.AsyncClient, url: str) -> bool:
    with suppress(httpx.HTTPError):
        return (await client.get(f"{url}/readyz")).status_code == 200
    return False
