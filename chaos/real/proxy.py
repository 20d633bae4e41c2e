"""A wire between the processes of a run and one server: it carries bytes, and does that badly where it is told to.

As on a real network, what is held back arrives when the wire heals, however late; a client that has long given up does
not make it unsaid.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from random import Random

from adapters.clock import Clock

_PIECE = 65_536

Passing = Callable[[bytes], bytes]  #: what a piece becomes on its way


class Way(StrEnum):
    """Which way bytes go."""

    REQUESTS = "requests"  #: to the server
    ANSWERS = "answers"  #: back


@dataclass
class Wire:
    """One wire; `port` is where clients connect, on 127.0.0.1."""

    target: int  #: the server's port on 127.0.0.1
    clock: Clock
    rng: Random
    port: int = 0
    connections: int = 0  #: made so far
    lost: int = 0  #: answers lost so far
    requests: Callable[[], Passing] | None = None  #: makes what each connection's requests go through
    _delay_s: float = 0.0
    _jitter_s: float = 0.0
    _refusing: bool = False
    _to_lose: int = 0
    _held: dict[Way, "asyncio.Future[None]"] = field(default_factory=dict)
    _open: set[asyncio.StreamWriter] = field(default_factory=set)

    # -- faults --------------------------------------------------------------------------------------------------------

    def cut(self) -> None:
        """Reset every connection, and every new one, until it heals."""
        self._refusing = True
        self._reset()

    def slow(self, delay_s: float, jitter_s: float) -> None:
        """Each piece takes so long, and up to so much longer."""
        self._delay_s, self._jitter_s = delay_s, jitter_s

    def hold(self, *ways: Way) -> None:
        """Nothing gets through on these ways until it heals; connections stand, new ones too."""
        for way in ways:
            if way not in self._held:
                self._held[way] = asyncio.get_running_loop().create_future()

    def lose_answers(self, count: int) -> None:
        """The next so many answers are lost, and their connections end."""
        self._to_lose = count

    def heal(self) -> None:
        """Everything passes again, and what was held goes on."""
        self._delay_s = self._jitter_s = 0.0
        self._refusing = False
        self._to_lose = 0
        for held in self._held.values():
            held.set_result(None)
        self._held.clear()

    # -- carrying ------------------------------------------------------------------------------------------------------

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection to its end."""
        self.connections += 1
        try:
            if self._refusing:
                raise ConnectionResetError
            back, there = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            writer.transport.abort()
            return
        self._open |= {writer, there}
        ways = [
            asyncio.create_task(self._carry(reader, there, Way.REQUESTS, self.requests() if self.requests else bytes)),
            asyncio.create_task(self._carry(back, writer, Way.ANSWERS, bytes)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            for one in (writer, there):
                one.close()
                self._open.discard(one)

    async def _carry(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, way: Way, passing: Passing
    ) -> None:
        with suppress(OSError):
            while piece := await source.read(_PIECE):
                if self._delay_s:
                    await self.clock.sleep(self._delay_s + self.rng.uniform(0, self._jitter_s))
                if (held := self._held.get(way)) is not None:
                    await asyncio.shield(held)
                if way is Way.ANSWERS and self._to_lose:
                    self._to_lose -= 1
                    self.lost += 1
                    return
                sink.write(passing(piece))
                await sink.drain()

    def _reset(self) -> None:
        for writer in self._open:
            writer.transport.abort()


@asynccontextmanager
async def wire(
    target: int, clock: Clock, rng: Random, requests: Callable[[], Passing] | None = None
) -> AsyncIterator[Wire]:
    """A wire to the server on that port."""
    made = Wire(target, clock, rng, requests=requests)
    server = await asyncio.start_server(made.connected, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
        made.cut()
        made.heal()
