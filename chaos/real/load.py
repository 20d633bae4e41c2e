"""The clients of a run, in a process of their own: `python -m chaos.real.load LOAD.json`.

Each saga is asked for with the same id until some answer is 2xx. The log has one line before each request and one after
each answer, written before anything goes on: it is evidence, and knows nothing that a client could not.
"""

import asyncio
import json
import ssl
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from typing import Any, Self

import httpx

from adapters.clock import Clock, SystemClock
from chaos.real.lifeline import end_with_the_run

RETRY_S = 0.3
TIMEOUT_S = 4.0
AT_ONCE = 256  #: requests


class RefusedForGood(Exception):
    """A start that no asking again makes acceptable."""


@dataclass(frozen=True, slots=True)
class Start:
    """One saga that a client wants."""

    id: str
    data: dict[str, Any]
    after_s: float  #: when it is asked for first, from the beginning
    cancel_after_s: float | None = None  #: once it is accepted


@dataclass(frozen=True, slots=True)
class Load:
    """What all clients of a run do."""

    saga: str
    urls: list[str]
    log: str
    seed: int
    starts: list[Start]

    def write(self, file: Path) -> None:
        """Store it for the process."""
        file.write_text(json.dumps(asdict(self)))

    @classmethod
    def read(cls, file: Path) -> Self:
        """As it was written."""
        written = json.loads(file.read_text())
        return cls(**{**written, "starts": [Start(**start) for start in written["starts"]]})


class Log:
    """Lines that outlive this process. They are not synced: a disk that is slow would slow down the load."""

    def __init__(self, file: Path, clock: Clock) -> None:
        self._file = file.open("ab", buffering=0)
        self._clock = clock

    def write(self, **line: Any) -> None:
        """Add a line."""
        self._file.write(json.dumps({"at": self._clock.now().timestamp(), **line}).encode() + b"\n")


class Clients:
    """All clients of a run."""

    def __init__(self, load: Load, lanes: "Lanes", log: Log, clock: Clock) -> None:
        self._load = load
        self._lanes = lanes
        self._log = log
        self._clock = clock
        self._rng = Random(f"{load.seed}/clients")

    async def run(self) -> None:
        """Until every saga is accepted. Raises a group of `RefusedForGood`."""
        async with asyncio.TaskGroup() as group:
            for start in self._load.starts:
                group.create_task(self._one(start))

    async def _one(self, start: Start) -> None:
        await self._clock.sleep(start.after_s)
        body = {"saga": self._load.saga, "id": start.id, "data": start.data}
        while not await self._ask(start.id, "start", "/v1/sagas", body):
            await self._clock.sleep(self._rng.uniform(0.5, 1.5) * RETRY_S)
        if start.cancel_after_s is not None:
            await self._clock.sleep(start.cancel_after_s)
            await self._ask(start.id, "cancel", f"/v1/sagas/{start.id}/cancel", {"reason": "changed my mind"})

    async def _ask(self, saga_id: str, what: str, path: str, body: dict[str, Any]) -> bool:
        """Whether the answer was 2xx."""
        url = self._rng.choice(self._load.urls)
        async with self._lanes.free() as client:
            self._log.write(id=saga_id, asked=what)
            try:
                answer = await client.post(f"{url}{path}", json=body)
            except httpx.HTTPError as error:
                self._log.write(id=saga_id, answered=what, status=None, error=type(error).__name__)
                return False
        named = answer.json().get("id") if answer.is_success else None
        self._log.write(id=saga_id, answered=what, status=answer.status_code, named=named)
        if answer.is_client_error and what == "start":
            raise RefusedForGood(f"{saga_id} is refused with {answer.status_code}: {answer.text[:500]}")
        return answer.is_success


class Lanes:
    """So many requests at once, each on connections of its own: in one pool all that wait would look at each other."""

    def __init__(self, idle: list[httpx.AsyncClient]) -> None:
        self._idle = idle
        self._free = asyncio.Semaphore(len(idle))

    @asynccontextmanager
    async def free(self) -> AsyncIterator[httpx.AsyncClient]:
        """One that nobody uses, as soon as there is one."""
        async with self._free:
            client = self._idle.pop()
            try:
                yield client
            finally:
                self._idle.append(client)


async def _main(file: Path) -> None:
    load, clock = Load.read(file), SystemClock()
    context = ssl.create_default_context()  # One for all: making it takes longer than a request.
    async with AsyncExitStack() as stack:
        idle = [
            await stack.enter_async_context(httpx.AsyncClient(timeout=TIMEOUT_S, trust_env=False, verify=context))
            for _ in range(AT_ONCE)
        ]
        await Clients(load, Lanes(idle), Log(Path(load.log), clock), clock).run()


if __name__ == "__main__":
    end_with_the_run()
    try:
        asyncio.run(_main(Path(sys.argv[1])))
    except* RefusedForGood as refused:
        sys.exit(str(refused.exceptions[0]))
