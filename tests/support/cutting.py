"""A wire between a client and a server that can be cut: real connections, which end when the test says so."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit


@dataclass
class Wire:
    """Everything that is sent passes, until it is cut."""

    target: str
    url: str = ""
    lose_answers: int = 0  #: so many requests still arrive, but their answers are lost
    connections: int = 0  #: made so far
    _open: set[asyncio.StreamWriter] = field(default_factory=set)

    def cut(self) -> None:
        """Reset every connection that is there now."""
        for writer in self._open:
            writer.transport.abort()

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection to its end."""
        self.connections += 1
        place = urlsplit(self.target)
        try:
            back, there = await asyncio.open_connection(place.hostname, place.port)
        except OSError:
            writer.transport.abort()
            return
        self._open |= {writer, there}
        forward = asyncio.create_task(self._carry(reader, there, answers=False))
        await self._carry(back, writer, answers=True)
        forward.cancel()
        for one in (writer, there):
            one.transport.abort()
            self._open.discard(one)

    async def _carry(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, answers: bool) -> None:
        with suppress(OSError):
            while piece := await source.read(65_536):
                if answers and self.lose_answers:
                    self.lose_answers -= 1
                    return
                sink.write(piece)
                await sink.drain()


@asynccontextmanager
async def wire(target: str, tls: ssl.SSLContext | None = None) -> AsyncIterator[Wire]:
    """A wire to the server at that URL; with `tls` that is spoken on the client's side of it."""
    made = Wire(target)
    server = await asyncio.start_server(made.connected, "127.0.0.1", 0, ssl=tls)
    made.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield made
    finally:
        server.close()
        made.cut()
        await server.wait_closed()
