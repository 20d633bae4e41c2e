"""The HTTP server on a socket: how long a client may take, how much it may send, in what pieces an answer comes."""

import asyncio
import gc
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from orchestrator.api.guard import Limits
from orchestrator.serving import ROOM_BYTES, HttpServer

RECEIVE_TIMEOUT_S = 0.3
BODY_BYTES = 10_000
WHOLE = b"GET / HTTP/1.1\r\nHost: here\r\n\r\n"
PART = WHOLE[:20]
POST = b"POST / HTTP/1.1\r\nHost: here\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"


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
        except ConnectionResetError:  # Before it had read everything.
            return True
        except TimeoutError:
            return False


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async def nothing(_: object) -> Response:
        return Response(status_code=204)

    async with serving(Starlette(routes=[Route("/", nothing, methods=["GET", "POST"])])) as made:
        yield made


@asynccontextmanager
async def serving(app: ASGIApp) -> AsyncIterator[Client]:
    limits = Limits(body_bytes=BODY_BYTES, body_timeout_s=RECEIVE_TIMEOUT_S)
    server = HttpServer(app, "127.0.0.1", 0, limits)
    stop, ready = asyncio.Event(), asyncio.Event()
    running = asyncio.create_task(server.run(stop, ready.set, 1))
    await ready.wait()
    reader, writer = await asyncio.open_connection("127.0.0.1", int(server.url.rpartition(":")[2]))
    try:
        yield Client(reader, writer)
    finally:
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


@pytest.mark.parametrize(
    ("asked", "rest"),
    [
        (WHOLE, b"\r\n"),
        (POST + b"Content-Length: 100\r\n\r\n", b"x"),
        (POST + b"Content-Length: 1\r\n\r\n", b"x" + PART),
        (CHUNKED, b"9"),
        (CHUNKED + b"0\r\n", b"X-Trailer: x\r\n"),
    ],
    ids=["a-blank-line", "a-body", "a-next-head", "a-chunk", "a-trailer"],
)
async def test_what_never_ends_behind_an_answer_is_closed(client: Client, asked: bytes, rest: bytes) -> None:
    await client.answer(asked)
    client.writer.write(rest)
    assert await client.is_closed()


async def test_a_body_that_ends_behind_its_answer_leaves_a_connection_that_is_kept(client: Client) -> None:
    await client.answer(POST + b"Content-Length: 2\r\n\r\n")
    client.writer.write(b"x")
    await client.writer.drain()
    client.writer.write(b"x")
    assert not await client.is_closed(3 * RECEIVE_TIMEOUT_S)
    assert (await client.answer(WHOLE)).startswith(b"HTTP/1.1 204")


async def test_requests_at_once_may_be_longer_together_than_a_head(client: Client) -> None:
    many = 1_000
    client.writer.write(WHOLE * many + PART)
    for _ in range(many):
        assert (await client.answer(b"")).startswith(b"HTTP/1.1 204")
    assert (await client.answer(WHOLE[20:])).startswith(b"HTTP/1.1 204")


async def test_requests_are_not_read_while_others_wait_for_their_turn() -> None:
    turns = asyncio.Semaphore(0)

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        await turns.acquire()
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    async with serving(app) as client:
        client.writer.write(WHOLE * 3)
        turns.release()
        await client.answer(b"")
        client.writer.write(WHOLE * 1_000)
        turns.release()
        await client.answer(b"")
        assert not await client.is_closed(RECEIVE_TIMEOUT_S)
        assert sum(type(one) is RequestResponseCycle for one in gc.get_objects()) < 10  # `isinstance` asks dead proxies
        for _ in range(1_001):
            turns.release()
            await client.answer(b"")


class Reading:
    """Answers once a body has come, with how many bytes it had."""

    def __init__(self) -> None:
        self.headers: list[tuple[bytes, bytes]] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        received, more = 0, True
        while more:
            message = await receive()
            received += len(message.get("body", b""))
            more = message.get("more_body", False)
        self.headers = scope["headers"]
        headers = [(b"x-bytes", b"%d" % received), (b"content-length", b"0")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body"})


async def test_a_body_may_come_in_chunks_of_one_byte_and_its_trailers_become_no_headers() -> None:
    app = Reading()
    async with serving(app) as client:
        body = b"1\r\nx\r\n" * BODY_BYTES + b"0\r\nX-Trailer: x\r\n\r\n"
        assert b"x-bytes: %d\r\n" % BODY_BYTES in await client.answer(CHUNKED + body)
    assert [name for name, _ in app.headers] == [b"host", b"transfer-encoding"]


async def test_a_body_that_is_awaited_has_the_time_that_the_application_gives_it() -> None:
    async with serving(Reading()) as client:
        client.writer.write(POST + b"Content-Length: 2\r\n\r\nx")
        assert not await client.is_closed(3 * RECEIVE_TIMEOUT_S)
        assert b"x-bytes: 2\r\n" in await client.answer(b"x")


async def test_bodies_may_be_long_and_many() -> None:
    async with asyncio.timeout(10), serving(Reading()) as client:
        for _ in range(3):
            asked = POST + b"Content-Length: %d\r\n\r\n" % ROOM_BYTES
            assert b"x-bytes: %d\r\n" % ROOM_BYTES in await client.answer(asked + b"x" * ROOM_BYTES)


@pytest.mark.parametrize(
    ("asked", "more"),
    [
        (WHOLE, b"\r\n" * 50_000),
        (CHUNKED + b"0\r\n", b"X-Trailer: x\r\n" * 5_000),
        (CHUNKED + b"0\r\nX-Trailer: ", b"x" * 50_000),
        (CHUNKED + b"1;", b"x" * 50_000),
        (CHUNKED, b"1\r\nx\r\n" * 500_000),
        (POST + b"Content-Length: 100000000\r\n\r\n", b"x" * 3_000_000),
    ],
    ids=["blank-lines", "trailers", "a-trailer", "a-chunk-extension", "chunks", "a-body"],
)
async def test_who_sends_without_end_is_cut_off_also_while_an_answer_goes_on(asked: bytes, more: bytes) -> None:
    async def goes_on(_scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while (await receive())["type"] != "http.disconnect":
            pass

    async with serving(goes_on) as client:
        await client.answer(asked)
        client.writer.write(more)
        assert await client.is_closed()


async def test_a_long_head_that_is_whole_is_left_to_the_application(client: Client) -> None:
    head = POST + b"Content-Length: 1\r\nX-Long: " + b"x" * 20_000 + b"\r\n\r\n"
    assert (await client.answer(head)).startswith(b"HTTP/1.1 204")


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
