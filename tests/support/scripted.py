"""A saga service that answers what it is told to: real HTTP, without databases."""

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Json = dict[str, Any]


class Events(str):
    """A stream of server-sent events; the connection's end is its end."""


@dataclass
class ScriptedService:
    """Answers by method and path; where several are told, one after the other, the last for ever."""

    url: str = ""
    answers: dict[str, list[tuple[int, Any]]] = field(default_factory=dict)
    requests: list[Json] = field(default_factory=list)

    def on(self, what: str, *bodies: Any, status: int = 200) -> None:
        """Answer `GET /v1/sagas` or the like with these bodies."""
        self.answers.setdefault(what, []).extend((status, body) for body in bodies)

    def answer(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> tuple[int, Any]:
        """The answer to one request."""
        path, _, query = target.partition("?")
        self.requests.append({"path": path, "query": query, "headers": dict(headers), "body": body.decode()})
        told = self.answers.get(f"{method} {path}", [(404, {"detail": "There is no saga with this id."})])
        return told.pop(0) if len(told) > 1 else told[0]


@contextmanager
def scripted_service() -> Iterator[ScriptedService]:
    """A service on a free port."""
    service = ScriptedService()

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            status, answer = service.answer(self.command, self.path, dict(self.headers), body)
            shown = (answer if isinstance(answer, str) else json.dumps(answer)).encode()
            self.send_response(status)
            if isinstance(answer, Events):
                self.send_header("Content-Type", "text/event-stream")
            self.send_header("Content-Length", str(len(shown)))
            self.end_headers()
            self.wfile.write(shown)

        do_GET = do_POST = do_DELETE = _answer  # noqa: N815 - the library's names

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        service.url = f"http://127.0.0.1:{server.server_port}"
        try:
            yield service
        finally:
            server.shutdown()
            thread.join()


def saga_json(status: str = "completed", **changes: Any) -> Json:
    """An order's saga as the service shows it."""
    ended = None if status in ("running", "compensating", "stuck") else "2030-01-01T12:00:00.012Z"
    steps = ("reserve-stock", "succeeded"), ("charge-payment", "succeeded"), ("confirm", "succeeded")
    saga: Json = {
        "id": "one",
        "saga": "order",
        "version": 1,
        "status": status,
        "revision": 4,
        "data": {"customer_id": "alice"},
        "steps": [step_json(name, step_status) for name, step_status in steps],
        "failure": None,
        "waiting_for": None,
        "created_at": "2030-01-01T12:00:00.000Z",
        "updated_at": "2030-01-01T12:00:00.012Z",
        "ended_at": ended,
    }
    return saga | changes


def told(revision: int, saga_id: str = "one", *, token: str | None = None, **changes: Any) -> str:
    """One transition as a stream of events tells it."""
    data = {
        "saga_id": saga_id,
        "saga": "order",
        "version": 1,
        "revision": revision,
        "status": "running",
        "events": ["step-succeeded"],
        "at": "2030-01-01T12:00:00.000Z",
        "step": "reserve-stock",
        "attempt": 1,
        "code": None,
    }
    return f"event: transition\nid: {token or revision}\ndata: {json.dumps(data | changes)}\n\n"


def step_json(name: str, status: str, **changes: Any) -> Json:
    """One step as the service shows it."""
    step = {"name": name, "status": status, "attempts": 1, "started_at": None, "ended_at": None, "error": None}
    return step | changes
