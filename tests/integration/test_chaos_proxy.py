"""The wire of real failure runs: what passes, what is held back and arrives late, what is lost."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from random import Random

import pytest

from adapters.clock import SystemClock
from chaos.real.proxy import Way, Wire, wire
from support.waiting import eventually


@dataclass
class Echo:
    """A server that answers each line with itself."""

    heard: list[bytes] = field(default_factory=list)
    open: int = 0

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open += 1
        with suppress(OSError):
            while line := await reader.readline():
                self.heard.append(line)
                writer.write(line)
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
        self.open -= 1


class Client:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    def send(self, line: bytes) -> None:
        self._writer.write(line)

    async def read(self) -> bytes:
        """A line; empty where the connection has ended, however."""
        try:
            async with asyncio.timeout(5):
                return await self._reader.readline()
        except ConnectionResetError:
            return b""

    async def hears_nothing(self) -> bool:
        try:
            async with asyncio.timeout(0.2):
                await self._reader.readline()
        except TimeoutError:
            return True
        return False

    async def close(self) -> None:
        self._writer.close()
        with suppress(OSError):
            await self._writer.wait_closed()


@dataclass
class Wired:
    """A wire to an echo."""

    echo: Echo
    wire: Wire
    clients: list[Client] = field(default_factory=list)

    async def client(self) -> Client:
        self.clients.append(Client(*await asyncio.open_connection("127.0.0.1", self.wire.port)))
        return self.clients[-1]


@asynccontextmanager
async def wired() -> AsyncIterator[Wired]:
    echo = Echo()
    server = await asyncio.start_server(echo.connected, "127.0.0.1", 0)
    async with wire(server.sockets[0].getsockname()[1], SystemClock(), Random(1)) as made:
        place = Wired(echo, made)
        try:
            yield place
        finally:
            made.heal()
            await asyncio.gather(*(client.close() for client in place.clients))
            await eventually(lambda: not echo.open)
            server.close()
            await server.wait_closed()


async def test_what_is_sent_arrives_both_ways() -> None:
    async with wired() as place:
        client = await place.client()
        client.send(b"hello\n")
        assert await client.read() == b"hello\n"


async def test_a_cut_resets_connections_and_refuses_new_ones_until_it_heals() -> None:
    async with wired() as place:
        client = await place.client()
        client.send(b"hello\n")
        await client.read()

        place.wire.cut()

        assert await client.read() == b""
        refused = await place.client()
        refused.send(b"hello\n")
        assert await refused.read() == b""

        place.wire.heal()
        again = await place.client()
        again.send(b"hello\n")
        assert await again.read() == b"hello\n"


async def test_held_requests_arrive_when_it_heals_even_if_the_client_is_gone() -> None:
    async with wired() as place:
        client = await place.client()
        place.wire.hold(Way.REQUESTS)
        client.send(b"late\n")
        assert await client.hears_nothing()
        assert place.echo.heard == []
        await client.close()

        place.wire.heal()

        await eventually(lambda: place.echo.heard == [b"late\n"])


async def test_held_answers_are_heard_late_of_what_was_done_at_once() -> None:
    async with wired() as place:
        client = await place.client()
        place.wire.hold(Way.ANSWERS)
        client.send(b"hello\n")
        await eventually(lambda: place.echo.heard == [b"hello\n"])
        assert await client.hears_nothing()

        place.wire.heal()

        assert await client.read() == b"hello\n"


async def test_a_lost_answer_ends_the_connection_and_the_request_has_been_done() -> None:
    async with wired() as place:
        client = await place.client()
        place.wire.lose_answers(1)
        client.send(b"hello\n")

        assert await client.read() == b""
        assert (place.echo.heard, place.wire.lost) == ([b"hello\n"], 1)


async def test_a_slow_wire_keeps_the_order() -> None:
    async with wired() as place:
        client = await place.client()
        place.wire.slow(0.05, 0.1)
        begun = asyncio.get_running_loop().time()
        for line in (b"1\n", b"2\n", b"3\n"):
            client.send(line)

        assert [await client.read() for _ in range(3)] == [b"1\n", b"2\n", b"3\n"]
        assert asyncio.get_running_loop().time() - begun > 0.1


@pytest.mark.parametrize("ways", [list(Way)])
async def test_a_half_open_connection_stands_and_says_nothing(ways: list[Way]) -> None:
    async with wired() as place:
        place.wire.hold(*ways)
        client = await place.client()
        client.send(b"hello\n")

        assert await client.hears_nothing()
        assert place.echo.heard == []


async def test_what_passes_may_become_something_else_on_its_way() -> None:
    async with wired() as there:
        there.wire.requests = lambda: lambda piece: piece.replace(b"lost", b"gone")
        client = await there.client()
        client.send(b"lost\n")

        assert await client.read() == b"gone\n"
