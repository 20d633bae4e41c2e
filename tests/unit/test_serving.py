"""The HTTP server on a socket: how long a client may take over a request's head, and in what pieces an answer comes."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from orchestrator.serving import HttpServer

RECEIVE_TIMEOUT_S = 0.3
WHOLE = b"GET / HTTP/1.1\r\nHost: here\r\n\r\n"
PART = WHOLE[:20]


class Client:
    """A connection to it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def answer(self, sent: bytes) -> bytes:
        self.writer.write(sent)
        return await self.reader.readuntil(b"\r\n\r\n")

    async def is_closed(self, within_s: float = 10 * RECEIVE_TIMEOUT_S) -> bool:
        try:
            async with asyncio.timeout(within_s):
                return not await self.reader.read()
        except TimeoutError:
            return False


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async def nothing(_: object) -> Response:
        return Response(status_code=204)

    async with serving(Starlette(routes=[Route("/", nothing)])) as made:
        yield made


@asynccontextmanager
async def serving(app: ASGIApp) -> AsyncIterator[Client]:
    server = HttpServer(app, "127.0.0.1", 0, RECEIVE_TIMEOUT_S)
    stop, ready = asyncio.Event(), asyncio.Event()
    running = asyncio.create_task(server.run(stop, ready.set, 1))
    await ready.wait()
    reader, writer = await asyncio.open_connection("127.0.0.1", int(server.url.rpartition(":")[2]))
    yield Client(reader, writer)
    writer.close()
    stop.set()
    await running


@pytest.mark.parametrize("sent", [b"", PART])
async def test_a_connection_without_a_whole_head_is_closed(client: Client, sent: bytes) -> None:
    client.writer.write(sent)
    assert await client.is_closed()


async def test_a_head_that_never_ends_is_closed_also_behind_a_request(client: Client) -> None:
    await client.answer(WHOLE)
    client.writer.write(PART)
    assert await client.is_closed()


async def test_a_connection_that_is_kept_waits_longer_for_a_next_request(client: Client) -> None:
    await client.answer(WHOLE)
    assert not await client.is_closed(3 * RECEIVE_TIMEOUT_S)
    assert (await client.answer(WHOLE)).startswith(b"HTTP/1.1 204")


async def test_a_head_may_come_in_pieces(client: Client) -> None:
    await client.answer(WHOLE)
    client.writer.write(PART)
    await client.writer.drain()
    assert (await client.answer(WHOLE[20:])).startswith(b"HTTP/1.1 204")
    assert not await client.is_closed(3 * RECEIVE_TIMEOUT_S)


async def test_a_head_that_grows_without_end_is_refused_before_its_time_is_up(client: Client) -> None:
    client.writer.write(b"GET / HTTP/1.1\r\nX-Long: ")
    while not client.writer.is_closing() and not client.reader.at_eof():
        client.writer.write(b"x" * 1_024)
        try:
            async with asyncio.timeout(0.001):
                said = await client.reader.readuntil(b"\r\n\r\n")
                break
        except TimeoutError:
            continue
    assert said.startswith(b"HTTP/1.1 400")


HEAD = {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"4")]}
BODY = {"type": "http.response.body", "body": b"body"}


async def test_head_and_body_of_an_answer_leave_together() -> None:
    arrived: list[bytes] = []
    answered = asyncio.Event()

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send(HEAD)
        arrived.append(_arrived(connection))
        await send(BODY)
        arrived.append(_arrived(connection))
        answered.set()

    async with serving(app) as client:
        connection = client.writer.get_extra_info("socket")
        client.writer.write(WHOLE)
        await answered.wait()
    assert arrived[0] == b""
    assert arrived[1].startswith(b"HTTP/1.1 200")
    assert arrived[1].endswith(b"body")


async def test_a_head_waits_for_no_body_that_comes_later() -> None:
    seen = asyncio.Event()

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send(HEAD)
        await seen.wait()
        await send(BODY)

    async with asyncio.timeout(10), serving(app) as client:
        assert (await client.answer(WHOLE)).startswith(b"HTTP/1.1 200")
        seen.set()
        assert await client.reader.readexactly(4) == b"body"


def _arrived(connection: socket.socket) -> bytes:
    """What is there for the client to read, without reading it."""
    with socket.socket(fileno=os.dup(connection.fileno())) as same:
        try:
            return same.recv(1_024, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return b""
