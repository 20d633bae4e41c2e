"""A client of server-sent events that reads as a browser does, and can break off anywhere."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
from fastapi import FastAPI

from orchestrator.serving import HttpServer

Json = dict[str, Any]


@dataclass(frozen=True)
class Message:
    """One dispatched message."""

    event: str
    data: str
    id: str

    @property
    def json(self) -> Json:
        found: Json = json.loads(self.data)
        return found


@dataclass
class Hearing:
    """What was heard, and where to go on."""

    last_id: str = ""
    messages: list[Message] = field(default_factory=list)
    pings: int = 0
    retry: str = ""
    _rest: bytes = b""

    def take(self, received: bytes) -> None:
        """Whole blocks count, as for a browser; the rest waits for more."""
        *blocks, self._rest = (self._rest + received).split(b"\n\n")
        for block in blocks:
            self._block(block.decode())

    def broke_off(self) -> None:
        """What did not arrive whole never arrived."""
        self._rest = b""

    def _block(self, block: str) -> None:
        fields = dict(line.split(": ", 1) for line in block.split("\n") if not line.startswith(":"))
        self.pings += block.startswith(": ping")
        self.retry = fields.get("retry", self.retry)
        self.last_id = fields.get("id", self.last_id)
        if "data" in fields:
            self.messages.append(Message(fields.get("event", "message"), fields["data"], self.last_id))

    def told(self, event: str = "transition") -> list[Message]:
        return [message for message in self.messages if message.event == event]

    @property
    def transitions(self) -> list[tuple[str, int]]:
        """Saga and revision of each transition."""
        return [(message.json["saga_id"], message.json["revision"]) for message in self.told()]


@asynccontextmanager
async def asking(
    client: httpx.AsyncClient, path: str, hearing: Hearing, **params: Any
) -> AsyncIterator[httpx.Response]:
    """The answer as it begins, to a listener that goes on where it was."""
    headers = {"Last-Event-ID": hearing.last_id} if hearing.last_id else {}
    async with client.stream("GET", path, headers=headers, params=params) as answer:
        yield answer
    hearing.broke_off()


@asynccontextmanager
async def listening(client: httpx.AsyncClient, path: str, hearing: Hearing, **params: Any) -> AsyncIterator[None]:
    """Listen within the block, in the background."""
    begun = asyncio.Event()
    task = asyncio.create_task(_listen(client, path, hearing, begun, params))
    try:
        await asyncio.wait([task, waiting := asyncio.create_task(begun.wait())], return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if task.done():
            await task
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def _listen(client: httpx.AsyncClient, path: str, hearing: Hearing, begun: asyncio.Event, params: Json) -> None:
    async with asking(client, path, hearing, **params) as answer:
        assert answer.status_code == 200, await answer.aread()
        async for received in answer.aiter_bytes():
            hearing.take(received)
            begun.set()
    begun.set()


async def heard_to_its_end(client: httpx.AsyncClient, path: str, hearing: Hearing, **params: Any) -> int:
    """Listen until the server ends it; the status."""
    async with asking(client, path, hearing, **params) as answer:
        async for received in answer.aiter_bytes():
            hearing.take(received)
    return answer.status_code


@asynccontextmanager
async def served(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """The application on a real socket, and a client of it."""
    server, stop = HttpServer(app, "127.0.0.1", 0), asyncio.Event()
    ready = asyncio.Event()
    serving = asyncio.create_task(server.run(stop, ready.set, 5))
    await ready.wait()
    try:
        async with httpx.AsyncClient(base_url=server.url, timeout=20, trust_env=False) as client:
            yield client
    finally:
        stop.set()
        await asyncio.wait_for(serving, 20)
        server.close()
