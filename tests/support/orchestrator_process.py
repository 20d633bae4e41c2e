"""The orchestrator as a process of its own: `python -m orchestrator.app`."""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

import httpx

from adapters.servers.process import free_port
from support.services import is_ready

ROOT = Path(__file__).parents[2]


def own_environment(mongo_url: str, redis_url: str) -> dict[str, str]:
    """Its settings, under a prefix of their own and on a free port."""
    name = f"t{uuid4().hex[:8]}"
    return {
        "SAGA_MONGO_URL": mongo_url,
        "SAGA_REDIS_URL": redis_url,
        "SAGA_DATABASE_PREFIX": f"{name}_",
        "SAGA_STREAM_PREFIX": f"{name}.",
        "SAGA_HTTP_PORT": str(free_port()),
    }


@asynccontextmanager
async def process(environment: Mapping[str, str]) -> AsyncIterator[Process]:
    """The process; killed in the end, if it has not ended by itself."""
    given = {name: value for name, value in os.environ.items() if not name.startswith("SAGA_")}
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "orchestrator.app", cwd=ROOT, env={**given, **environment}, stderr=PIPE, stdout=PIPE
    )
    try:
        yield child
    finally:
        if child.returncode is None:
            child.kill()
        await child.communicate()


async def answers(client: httpx.AsyncClient) -> bool:
    """Whether it is ready."""
    try:
        return await is_ready(client)
    except httpx.TransportError:
        return False
