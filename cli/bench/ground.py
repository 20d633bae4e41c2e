"""Where a run takes place: on the service that runs, or on one of its own that leaves nothing behind."""

import asyncio
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

import httpx

from adapters.mongo import Mongo, translating
from adapters.secret_files import secret
from adapters.servers import Servers
from adapters.streams.cleaning import remove_all
from cli.data_directory import DataDirectory, nearest
from cli.databases import participant_settings, running_databases
from cli.failure import Failure
from cli.supervisor import CHILD
from cli.terminal import note
from participants.app import SHIPPED

_COMES_UP_WITHIN_S = 60.0
_ENDS_WITHIN_S = 30.0
_POLL_S = 0.05


@dataclass(frozen=True, slots=True)
class Ground:
    """Databases, the prefixes in them, and where the service's orchestrators answer; nowhere where there are none."""

    mongo_url: str
    redis_url: str | None
    database_prefix: str
    stream_prefix: str
    urls: Sequence[str] = ()

    @property
    def environment(self) -> dict[str, str]:
        """The variables by which a service works there."""
        return {
            "SAGA_MONGO_URL": self.mongo_url,
            "SAGA_REDIS_URL": self.redis_url or "",
            "SAGA_DATABASE_PREFIX": self.database_prefix,
            "SAGA_STREAM_PREFIX": self.stream_prefix,
            "SAGA_DEFINITIONS": "sagas.order",
        }


def running_service(urls: Sequence[str]) -> Ground | None:
    """The service that runs, where one is known. Raises `Failure` where its MongoDB is not known."""
    data = nearest()
    service = data.service()
    told = None if service is None else str(service["url"])
    where = list(urls) or ([] if told is None else [told])
    if not where:
        return None
    # What is told here are the databases of the service here: another one's are others.
    known = running_databases(data) if told in where else {}
    mongo_url = secret("SAGA_MONGO_URL") or known.get("mongo_url")
    if mongo_url is None:
        raise Failure(
            f"The MongoDB of {where[0]} is not known: set SAGA_MONGO_URL. The run needs it to make its own products "
            "and customers, and to read how its sagas have ended."
        )
    settings = participant_settings(mongo_url=mongo_url)
    answering = [url.rstrip("/") for url in where]
    return Ground(mongo_url, None, settings.database_prefix, settings.stream_prefix, answering)


@contextmanager
def own_databases(run: str) -> Iterator[Ground]:
    """Databases that are known here, under a prefix that is removed afterwards; else servers for this run alone."""
    known = running_databases(nearest())
    mongo_url = secret("SAGA_MONGO_URL") or known.get("mongo_url")
    redis_url = secret("SAGA_REDIS_URL") or known.get("redis_url")
    prefixes = (f"bench_{run}_", f"bench.{run}.")
    if mongo_url and redis_url:
        ground = Ground(mongo_url, redis_url, *prefixes)
        try:
            yield ground
        finally:
            asyncio.run(remove(ground))
        return
    with _directory() as directory:
        note("Starting MongoDB and Redis for this run alone …")
        with servers_in(directory) as servers:
            yield Ground(servers.mongo_url, servers.redis_url, *prefixes)


@contextmanager
def servers_in(directory: Path) -> Iterator[Servers]:
    """MongoDB and Redis for a run; nothing of their data is wanted afterwards."""
    servers = Servers(directory)
    servers.start()
    try:
        yield servers
    finally:
        servers.mongo.kill()
        servers.redis.kill()


@contextmanager
def own_service(ground: Ground) -> Iterator[Ground]:
    """`saga up` on these databases, as a process of its own: the load must not run in its event loop."""
    with _directory() as directory, (directory / "up.log").open("w+") as log:
        note("Starting a service for this run alone …")
        environment = {**os.environ, "SAGA_LOG_LEVEL": "warning", **ground.environment}
        process = begin(["up", "--dir", str(directory), "--port", "0"], environment, log)
        try:
            yield replace(ground, urls=[_await_service(process, directory)])
        finally:
            end(process)


def _await_service(process: "subprocess.Popen[bytes]", directory: Path) -> str:
    give_up_at = time.monotonic() + _COMES_UP_WITHIN_S
    while process.poll() is None and time.monotonic() < give_up_at:
        service = DataDirectory(directory).service()
        if service and is_ready(str(service["url"])):
            return str(service["url"])
        time.sleep(_POLL_S)
    raise Failure(f"The service does not come up:\n{(directory / 'up.log').read_text()[-2_000:]}")


def begin(arguments: Sequence[str], environment: Mapping[str, str], log: IO[str]) -> "subprocess.Popen[bytes]":
    """A `saga` process that ends with this one, and writes to the log."""
    return subprocess.Popen(
        [*CHILD, *arguments],
        env=environment,
        stdin=subprocess.PIPE,  # Never written to: its end tells the child that we are gone.
        stdout=log,
        stderr=log,
        start_new_session=True,  # Ctrl-C in the terminal is for us.
    )


def is_ready(url: str) -> bool:
    """Whether the orchestrator there takes requests."""
    try:
        return httpx.get(f"{url}/readyz", timeout=5, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False


def end(process: "subprocess.Popen[bytes]") -> None:
    """In order, or killed where that takes too long."""
    if process.stdin is not None:
        process.stdin.close()
    try:
        process.wait(_ENDS_WITHIN_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextmanager
def _directory() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="saga-bench-", ignore_cleanup_errors=True) as directory:
        yield Path(directory)


async def remove(ground: Ground) -> None:
    """Everything under its prefixes: databases and streams."""
    mongo = Mongo.connect(ground.mongo_url)
    try:
        with translating():
            for name in ("orchestrator", *SHIPPED):
                await mongo.database(f"{ground.database_prefix}{name}").command("dropDatabase")
    finally:
        await mongo.close()
    if ground.redis_url is not None:
        await remove_all(ground.redis_url, ground.stream_prefix)
