"""The HTTP server on a socket: how long a client may take over a request's head."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

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

    server = HttpServer(Starlette(routes=[Route("/", nothing)]), "127.0.0.1", 0, RECEIVE_TIMEOUT_S)
    stop, ready = asyncio.Event(), asyncio.Event()
    serving = asyncio.create_task(server.run(stop, ready.set, 1))
    await ready.wait()
    reader, writer = await asyncio.open_connection("127.0.0.1", int(server.url.rpartition(":")[2]))
    yield Client(reader, writer)
    writer.close()
    stop.set()
    await serving


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
