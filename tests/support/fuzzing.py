"""Runs the API fuzzer against an application, and looks at every byte that it answers."""

import asyncio
import os
import re
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from orchestrator.serving import HttpServer

FUZZ = Path(__file__).parents[1] / "fuzz"
SOAK = os.environ.get("SAGA_SOAK") == "1"
#: What must be in no answer, whatever was asked: traces, drivers, paths and addresses of this side.
LEAK = re.compile(rb'Traceback|File "|pymongo|motor|redis|/usr/|/tmp/|site-packages|mongodb://|0x[0-9a-f]{6,}|:27017')
SERVER_NAMES = {b"server", b"x-powered-by", b"via"}


@dataclass
class Watched:
    """Wraps an application: counts its answers, and keeps those that tell what they must not."""

    app: ASGIApp
    statuses: Counter[int] = field(default_factory=Counter)
    leaks: list[tuple[str, bytes]] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = b""

        async def watching(message: Message) -> None:
            nonlocal body
            if message["type"] == "http.response.start":
                self.statuses[message["status"]] += 1
                body = b"\n".join(b"%s: %s" % (name, value) for name, value in message["headers"])
                if SERVER_NAMES & {name.lower() for name, _ in message["headers"]}:
                    self.leaks.append((scope["path"], body))
            body += message.get("body", b"")
            if message["type"] == "http.response.body" and not message.get("more_body"):
                self._look(scope, body)
            await send(message)

        await self.app(scope, receive, watching)

    def _look(self, scope: Scope, answer: bytes) -> None:
        # What a client has sent comes back only as a saga's data, where it is the client's own.
        about_itself = scope["path"] in ("/openapi.json", "/asyncapi", "/asyncapi.json", "/docs", "/metrics")
        if not about_itself and not scope["path"].startswith(("/docs/", "/problems")) and LEAK.search(answer):
            self.leaks.append((scope["path"], answer[:2_000]))


@asynccontextmanager
async def served(app: ASGIApp) -> AsyncIterator[str]:
    """The application on a real socket; its URL."""
    server, stop, ready = HttpServer(app, "127.0.0.1", 0), asyncio.Event(), asyncio.Event()
    serving = asyncio.create_task(server.run(stop, ready.set, 1.0))
    await ready.wait()
    try:
        yield server.url
    finally:
        stop.set()
        await serving


async def fuzz(url: str, *options: str, seed: int, key: str | None = None, letters: Sequence[str] = ()) -> None:
    """One run of the fuzzer; raises `AssertionError` with what it found, and how to repeat it.

    `letters` are ids of dead letters, which it can't find out by itself.
    """
    arguments = [
        *("--config-file", str(FUZZ / "schemathesis.toml"), "run", f"{url}/openapi.json"),
        *("--seed", str(seed), "--no-color"),
        *(() if key is None else ("-H", f"Authorization: Bearer {key}")),
        *options,
    ]
    own = {
        "SCHEMATHESIS_HOOKS": "fuzz.schemathesis_hooks",
        "PYTHONPATH": str(FUZZ.parent),
        "SAGA_FUZZ_LETTERS": " ".join(letters),
    }
    with tempfile.TemporaryDirectory() as directory:  # It keeps what it finds where it runs.
        program = await asyncio.create_subprocess_exec(
            Path(sys.executable).with_name("schemathesis"),
            *arguments,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            cwd=directory,
            env=os.environ | own,
        )
        try:
            output, _ = await program.communicate()
        finally:
            if program.returncode is None:
                program.kill()
    text = output.decode()
    assert program.returncode == 0, f"{text}\nRepeat it against a running service: schemathesis {' '.join(arguments)}"
    sys.stdout.write(text[text.rfind("= SUMMARY =") :])
