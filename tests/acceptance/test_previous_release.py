"""A rolling upgrade from the newest release: its processes and ours side by side, on live sagas, there and back."""

import asyncio
import io
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from random import Random

import httpx
import pytest

from adapters.clock import SystemClock
from adapters.mongo import Mongo
from adapters.servers.process import free_port
from participants.seed import Seeder
from support import eventually
from support.checker import violations
from support.orchestrator_process import answers, own_environment
from support.services import ordering
from support.source import ROOT


def git(*arguments: str) -> bytes:
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, check=False).stdout


@pytest.fixture
def release(tmp_path: Path) -> Path:
    """The source of the newest release before this one."""
    # The commit that is released has a tag, too, and is not its own past.
    tags = git("tag", "--list", "v*", "--sort=-version:refname", "--no-contains", "HEAD").decode().split()
    if not tags:
        pytest.skip("no release to upgrade from: this clone has no tag v* of another commit (git fetch --tags)")
    with zipfile.ZipFile(io.BytesIO(git("archive", "--format=zip", tags[0]))) as archive:
        archive.extractall(tmp_path / "release")
    return tmp_path / "release"


class Party:
    """Processes of one version of the source."""

    def __init__(self, source: Path, environment: Mapping[str, str], log: Path) -> None:
        self._source, self._environment, self._log = source, environment, log
        self.url = ""
        self._children: list[subprocess.Popen[bytes]] = []

    async def join(self) -> None:
        """Start an orchestrator and the participants; returns once the orchestrator is ready."""
        port = str(free_port())
        self._start("orchestrator.app", SAGA_HTTP_PORT=port)
        for name in ("inventory", "payment", "orders"):
            self._start("participants.app", name)
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
            await eventually(lambda: answers(client))
        self.url = f"http://127.0.0.1:{port}"

    async def leave(self) -> None:
        """End everything as a supervisor does."""
        for child in self._children:
            child.terminate()
        codes = [await asyncio.to_thread(child.wait, 30) for child in self._children]
        assert codes == [0] * len(codes), self._log.read_text()[-3_000:]
        self._children.clear()

    def kill(self) -> None:
        for child in self._children:
            child.kill()
            child.wait()

    def _start(self, *arguments: str, **settings: str) -> None:
        given = {name: value for name, value in os.environ.items() if not name.startswith("SAGA_")}
        given |= {**self._environment, **settings, "PYTHONPATH": str(self._source)}
        with self._log.open("ab") as log:
            command = [sys.executable, "-m", *arguments]
            self._children.append(subprocess.Popen(command, cwd=self._source, env=given, stdout=log, stderr=log))


class Load:
    """Orders, one after the other, each asked for at whichever orchestrator answers until it is accepted."""

    def __init__(self, parties: Sequence[Party]) -> None:
        self._parties = parties
        self.accepted: list[str] = []

    async def run(self) -> None:
        async with httpx.AsyncClient(timeout=10) as client:
            for number in count():
                await eventually(lambda: self._placed(client, number))  # noqa: B023 - awaited before the next one
                self.accepted.append(f"o-{number}")

    async def _placed(self, client: httpx.AsyncClient, number: int) -> bool:
        order = ordering(customer="alice" if number % 3 else "broke", id=f"o-{number}")
        first = number % len(self._parties)
        for party in [*self._parties[first:], *self._parties[:first]]:
            try:
                if (await client.post(f"{party.url}/v1/sagas", json=order)).is_success:
                    return True
            except (httpx.TransportError, httpx.UnsupportedProtocol):
                continue
        return False

    async def more(self) -> None:
        """Return once forty more are accepted."""
        wanted = len(self.accepted) + 40
        await eventually(lambda: len(self.accepted) >= wanted)


@contextmanager
def parties(release: Path, environment: Mapping[str, str], tmp_path: Path) -> Iterator[tuple[Party, Party]]:
    """Whoever runs the release, and whoever runs this source."""
    both = Party(release, environment, tmp_path / "release.log"), Party(ROOT, environment, tmp_path / "this.log")
    try:
        yield both
    finally:
        for party in both:
            party.kill()


@pytest.mark.slow
async def test_every_saga_ends_while_this_release_takes_over_from_the_last_and_back(
    release: Path, tmp_path: Path, mongo_url: str, redis_url: str
) -> None:
    environment = own_environment(mongo_url, redis_url)
    prefix = environment["SAGA_DATABASE_PREFIX"]
    mongo = Mongo.connect(mongo_url)
    await Seeder(mongo, SystemClock(), Random(0), prefix=prefix).everything()

    database = mongo.database(f"{prefix}orchestrator")

    async def ended() -> bool:
        return not await database["sagas"].count_documents({"status": {"$nin": ["completed", "compensated"]}})

    with parties(release, environment, tmp_path) as (old, new):
        load = Load([old, new])
        await old.join()
        placing = asyncio.create_task(load.run())
        await load.more()
        for comes, goes in ((new, old), (old, new)):
            await comes.join()
            await load.more()
            await goes.leave()
            await load.more()
        placing.cancel()
        await asyncio.wait([placing])
        await eventually(ended)
    # What one can't read of the other is asked for again, and so each saga would end all the same.
    assert await database["dead_letters"].find({}, {"reason": 1}).to_list(3) == []
    await mongo.close()
    assert violations(mongo_url, load.accepted, prefix) == []
