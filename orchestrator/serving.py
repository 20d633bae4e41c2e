"""The HTTP server, run inside somebody else's event loop. It ends in order: uvicorn alone would end with a signal."""

import asyncio
import contextlib
import socket
from collections.abc import Callable, Generator

import uvicorn
from starlette.types import ASGIApp

BACKLOG = 2_048
KEEP_ALIVE_S = 30
MAX_HEADER_BYTES = 16_384


class HttpServer:
    """One application on one socket."""

    def __init__(self, app: ASGIApp, host: str, port: int) -> None:
        """Take the port; raises `OSError` if it is taken."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.create_server((host, port), family=family, backlog=BACKLOG)
        self._app = app

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
            lifespan="off",
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=max(1, round(grace_s)),
            h11_max_incomplete_event_size=MAX_HEADER_BYTES,
        )


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
