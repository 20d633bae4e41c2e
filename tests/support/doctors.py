"""`saga doctor` as a process of its own, and a MongoDB that is not as it should be."""

import asyncio
import json
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from adapters.servers import MongoServer
from orchestrator.settings import Settings
from support.commandline import command


class Standalone(MongoServer):
    """A MongoDB that is no replica set."""

    def _launch(self) -> None:
        self._standalone = True
        super()._launch()

    def _prepare(self) -> None:
        """Nothing is initiated."""


@pytest.fixture
def standalone(server_directory: Path) -> Iterator[MongoServer]:
    server = Standalone(server_directory)
    server.start()
    yield server
    server.kill()


class Said(dict[str, Any]):
    """What `--json` printed; each check also by its name."""

    def __missing__(self, name: str) -> Any:
        return next(check for check in self["checks"] if check["name"] == name)


def environment_of(settings: Settings, url: str | None = None) -> dict[str, str]:
    """The environment of a process that works where these settings say, and nothing else of the tests' own."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("SAGA_")}
    return ours | {
        "SAGA_MONGO_URL": settings.mongo_url,
        "SAGA_REDIS_URL": settings.redis_url,
        "SAGA_DATABASE_PREFIX": settings.database_prefix,
        "SAGA_STREAM_PREFIX": settings.stream_prefix,
        **({"SAGA_URL": url} if url else {}),
    }


async def examine(
    settings: Settings, given: Mapping[str, str] | None = None, *arguments: str, url: str | None = None
) -> tuple[int, Said]:
    """The exit code, and what was said, of a doctor in the environment of these settings."""
    process = await asyncio.create_subprocess_exec(
        *command(["doctor", "--json", *arguments]),
        env=environment_of(settings, url) | dict(given or {}),
        stdout=asyncio.subprocess.PIPE,
        stderr=sys.stderr,
    )
    said, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, Said(json.loads(said))
