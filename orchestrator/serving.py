"""The HTTP server, run inside somebody else's event loop. It ends in order: uvicorn alone would end with a signal."""

import asyncio
import contextlib
import socket
from collections.abc import Callable, Generator, Sized
from typing import Any

import structlog
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from orchestrator.api.guard import Limits

log = structlog.get_logger(__name__)

BACKLOG = 2_048
KEEP_ALIVE_S = 30
FRAMED = 6  #: bytes of a chunk that holds one
ROOM_BYTES = 1_048_576  #: what may be under way when a body turns out too long: that is to be answered
_LIMITS = Limits()


class HttpServer:
    """One application on one socket."""

    def __init__(self, app: ASGIApp, host: str, port: int, limits: Limits = _LIMITS) -> None:
        """Take the port; raises `OSError` if it is taken.

        A client gets the time for a body for each request's head too, and for what is left of a body once it is
        answered. Who sends more than head and body may have, however it is framed, is cut off.
        """
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.create_server((host, port), family=family, backlog=BACKLOG)
        # Connections inherit it. Without it an answer in two parts waits 40 ms for the client's acknowledgement.
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._app = app
        self._protocol = type("Protocol", (_Protocol,), {"limits": limits})

    @property
    def url(self) -> str:
        """Where it is."""
        host, port = self._socket.getsockname()[:2]
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    def close(self) -> None:
        """Give the port back; for a server that has never run."""
        self._socket.close()

    async def run(self, stop: asyncio.Event, ready: Callable[[], None], grace_s: float) -> None:
        """Serve until told to stop; then let requests in hand end, for as long as the grace."""
        server = _Server(self._config(grace_s), ready)
        serving = asyncio.create_task(server.serve(sockets=[self._socket]))
        stopping = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait((serving, stopping), return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
            server.should_exit = True
            await serving

    def _config(self, grace_s: float) -> uvicorn.Config:
        return uvicorn.Config(
            self._app,
            http=self._protocol,
            lifespan="off",
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=max(1, round(grace_s)),
        )


async def serve_until(
    server: HttpServer,
    stop: asyncio.Event,
    *,
    ready: Callable[[str], None] | None,
    hurry: Callable[[], None],
    grace_s: float,
) -> None:
    """Serve until told to stop. `ready` is called with the URL once it answers, `hurry` as soon as it is to stop."""

    def answering() -> None:
        log.info("http-started", url=server.url)
        if ready is not None:
            ready(server.url)

    async def hurry_up() -> None:
        await stop.wait()
        hurry()

    hurrying = asyncio.create_task(hurry_up())
    try:
        await server.run(stop, answering, grace_s)
    finally:
        hurrying.cancel()


class _Protocol(HttpToolsProtocol):
    """Closes a connection that says nothing, or of whose request there is no end: in time, or in size.

    The time runs while nothing of ours is awaited; what a body may take before its answer, the guard says.
    """

    limits: Limits
    _timer: asyncio.TimerHandle | None = None  #: runs while the rest of something is awaited
    _in_head = False
    _further = False  #: has come a head's end, or something of a body, with the piece at hand
    _bytes = 0  #: of this request
    _vain_bytes = 0  #: since there was such a piece: a head, a trailer, blank lines, without an end

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as its base says it
        super().connection_made(_Joined(transport))
        self.flow = _InTurn(self.transport, self.pipeline)
        self._await_rest()

    def data_received(self, data: bytes) -> None:
        self._further = False
        super().data_received(data)
        # The keep-alive time has ended with the first byte, whatever that was.
        if self._timer is None and self.timeout_keep_alive_task is None and self._answered():
            self._await_rest()
        self._bytes += len(data)
        self._vain_bytes = 0 if self._further else self._vain_bytes + len(data)
        most_bytes = FRAMED * self.limits.body_bytes + ROOM_BYTES
        if self._vain_bytes > self.limits.head_bytes or self._bytes > most_bytes:
            self._cut_off()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._unset_keepalive_if_required()
        self._in_head = True
        self._bytes = 0

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._in_head:  # A trailer is no header, and nobody here wants one.
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._in_head, self._further = False, True
        self._stop_waiting()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._further = True
        super().on_body(body)

    def on_message_complete(self) -> None:
        super().on_message_complete()
        if self._answered():  # Before it had all come: what stays unused from now on is the connection.
            self._stop_waiting()
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def _answered(self) -> bool:
        """Everything whose head has come."""
        cycle: RequestResponseCycle | None = self.cycle  # uvicorn's annotation leaves the None out.
        return cycle is None or cycle.response_complete

    def _cut_off(self) -> None:
        if self.transport.is_closing():
            return
        if self._in_head and self._answered():
            self.send_400_response("The request's head is too long.")
        else:  # An answer may have begun, or have been given.
            self.transport.close()

    def _await_rest(self) -> None:
        self._timer = self.loop.call_later(self.limits.body_timeout_s, self.transport.close)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class _InTurn(FlowControl):
    """Reads no further requests while some that have been read still wait for their turn.

    uvicorn would read on after each answer, and keep all that a client sends ahead.
    """

    def __init__(self, transport: asyncio.Transport, waiting: Sized) -> None:
        super().__init__(transport)
        self._waiting = waiting

    def resume_reading(self) -> None:
        if not self._waiting:
            super().resume_reading()


class _Joined(asyncio.Transport):
    """Sends an answer's head and body in one piece: two would be two system calls, two packets, two reads.

    What is written waits for what follows in the same turn of the loop, and no longer; it is never more than one piece.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        super().__init__()
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._held: bytes | None = None

    def write(self, data: bytes) -> None:  # type: ignore[override]  # uvicorn writes nothing else
        if self._held is None:
            self._held = data
            self._loop.call_soon(self._flush)
        else:
            self._transport.write(self._held + data)
            self._held = None

    def close(self) -> None:
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        if self._held is not None and not self._transport.is_closing():
            self._transport.write(self._held)
        self._held = None

    def is_closing(self) -> bool:
        return self._transport.is_closing()

    def pause_reading(self) -> None:
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        self._transport.resume_reading()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._transport.get_extra_info(name, default)


class _Server(uvicorn.Server):
    """Leaves signals alone: whoever runs it has handlers, and raising a signal again would skip the orderly end."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready()
