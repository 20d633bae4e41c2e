"""HTTP/1.1 as a load generator needs it: a kept connection, one request at a time, a tenth of a whole client's work.

It knows answers that tell their length, as the service's do, and nothing else: no chunks, no redirects, no proxies.
"""

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast
from urllib.parse import urlsplit

_CONNECT_WITHIN_S = 10.0


class Broken(Exception):
    """The connection ended, or said what is no answer, before an answer had come. It may be tried again."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    head: bytes  #: in small letters, with the status line
    body: bytes

    def header(self, name: str) -> str | None:
        """One header's value."""
        begin = self.head.find(f"\r\n{name}:".encode())
        if begin < 0:
            return None
        begin += len(name) + 3
        return self.head[begin : self.head.index(b"\r\n", begin)].decode("latin-1").strip()


class Service:
    """Where a service is, and how requests to it begin."""

    def __init__(self, url: str, headers: Mapping[str, str]) -> None:
        parts = urlsplit(url)
        self.url = url
        self.host = parts.hostname or ""
        self.port = parts.port or (443 if parts.scheme == "https" else 80)
        self.ssl = ssl.create_default_context() if parts.scheme == "https" else None
        self._path = parts.path.rstrip("/")
        lines = {"Host": parts.netloc.rpartition("@")[2], "Content-Type": "application/json", **headers}
        self._lines = "".join(f"{name}: {value}\r\n" for name, value in lines.items())

    def beginning(self, method: str, path: str, wait_s: int | None = None) -> bytes:
        """Everything of a request that does not change with its body; to be made once."""
        wait = "" if wait_s is None else f"Prefer: wait={wait_s}\r\n"
        return f"{method} {self._path}{path} HTTP/1.1\r\n{self._lines}{wait}Content-Length: ".encode()


class Wire:
    """One connection: made when it is first needed, and again where the service has closed it in between."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self._connection: _Connection | None = None

    async def ask(self, beginning: bytes, body: bytes, within_s: float) -> Answer:
        """One request and its answer. Raises `Broken`, and `TimeoutError`; then the connection is given up.

        A kept connection may end while a request is on its way. Then that is sent once more: sagas that are started
        have ids, so nothing is done twice.
        """
        request = beginning + b"%d\r\n\r\n" % len(body) + body
        kept = self._connection is not None and not self._connection.closed
        try:
            async with asyncio.timeout(within_s):
                try:
                    return await (await self._connected()).ask(request)
                except Broken:
                    if not kept:
                        raise
                    return await (await self._connected()).ask(request)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End it."""
        if self._connection is not None:
            self._connection.close()

    async def _connected(self) -> "_Connection":
        if self._connection is None or self._connection.closed:
            at = self.service
            try:
                async with asyncio.timeout(_CONNECT_WITHIN_S):
                    _, self._connection = await asyncio.get_running_loop().create_connection(
                        _Connection, at.host, at.port, ssl=at.ssl
                    )
            except OSError as error:  # A time that is over is one, too.
                raise Broken(f"no connection to {at.url}: {type(error).__name__}") from error
        return self._connection


class _Connection(asyncio.Protocol):
    def __init__(self) -> None:
        self.closed = False
        self._transport: asyncio.WriteTransport | None = None
        self._read = bytearray()
        self._head: bytes | None = None
        self._length = 0
        self._answered: asyncio.Future[Answer] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.WriteTransport, transport)  # uvloop's are of a class of its own.

    async def ask(self, request: bytes) -> Answer:
        if self._transport is None or self.closed:
            raise Broken("the connection is closed")
        self._answered = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._answered

    def data_received(self, data: bytes) -> None:
        self._read += data
        if self._head is None and not self._read_head():
            return
        if len(self._read) < self._length or self._head is None:
            return
        answer = Answer(int(self._head[9:12]), self._head, bytes(self._read[: self._length]))
        self._read.clear()
        self._head = None
        if answer.head.startswith(b"http/1.0") or answer.header("connection") == "close":
            self.close()
        if self._answered is not None and not self._answered.done():
            self._answered.set_result(answer)

    def _read_head(self) -> bool:
        end = self._read.find(b"\r\n\r\n")
        if end < 0:
            return False
        self._head = bytes(self._read[: end + 2]).lower()
        del self._read[: end + 4]
        length = Answer(0, self._head, b"").header("content-length")
        if not self._head.startswith(b"http/1.") or length is None:
            self._break("what came is no answer with a length")
            return False
        self._length = int(length)
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self._break("the connection ended")

    def close(self) -> None:
        self.closed = True
        if self._transport is not None:
            self._transport.close()

    def _break(self, why: str) -> None:
        self.close()
        if self._answered is not None and not self._answered.done():
            self._answered.set_exception(Broken(why))
