"""The outermost layer: limits what a request may cost, and turns whatever goes wrong into a problem.

Plain ASGI, because it must see a body's bytes as they arrive: a body that is too long is refused at the byte that is
too many, also where its length was not announced.
"""

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bound_contextvars

from orchestrator.api.caller import PROBES, note, rate_of
from orchestrator.api.problems import Kind, Problem, retry_later
from orchestrator.api.sse import MEDIA_TYPE as EVENT_STREAM

log = structlog.get_logger(__name__)

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


@dataclass(frozen=True, slots=True)
class Limits:
    """What one request may cost, and how many there may be at once."""

    body_bytes: int = 262_144
    body_timeout_s: float = 10.0
    requests: int = 2_000
    head_bytes: int = 16_384


class Guard:
    """Wraps the application."""

    def __init__(self, app: ASGIApp, limits: Limits, new_id: Callable[[], str]) -> None:
        self._app = app
        self._limits = limits
        self._new_id = new_id
        self._in_hand: set[_Answer] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        answer = _Answer(scope, send, _request_id(scope) or self._new_id(), self._in_hand.discard)
        note(scope, request_id=answer.request_id)
        self._in_hand.add(answer)
        with bound_contextvars(request_id=answer.request_id):
            await self._guarded(scope, receive, answer)

    async def _guarded(self, scope: Scope, receive: Receive, answer: "_Answer") -> None:
        try:
            await self._handle(scope, receive, answer)
        except Problem as problem:
            await answer.replace(scope, receive, problem)
        except Exception:
            log.exception("request-failed", request_id=answer.request_id, method=scope["method"], path=scope["path"])
            await answer.replace(scope, receive, _internal_error(answer.request_id))
        finally:
            self._in_hand.discard(answer)

    async def _handle(self, scope: Scope, receive: Receive, answer: "_Answer") -> None:
        if len(self._in_hand) > self._limits.requests and not _is_probe(scope):
            raise retry_later(Kind.OVERLOADED, "Too many requests are in hand.", 1)
        if _head_bytes(scope) > self._limits.head_bytes:
            raise Problem(Kind.HEAD_TOO_LARGE, f"Path, query and headers may have {self._limits.head_bytes} bytes.")
        length = Headers(scope=scope).get("content-length", "")
        if length.isdecimal() and int(length) > self._limits.body_bytes:
            raise self._too_large()
        await self._app(scope, self._counting(receive), answer.send)

    def _counting(self, receive: Receive) -> Receive:
        """`receive`, as long as the body is neither too long nor too slow."""
        received = 0
        complete = False
        end = asyncio.get_running_loop().time() + self._limits.body_timeout_s

        async def counted() -> Message:
            nonlocal received, complete
            if complete:  # What follows the body is the client's disconnecting, which may take any time.
                return await receive()
            message = await self._in_time(receive, end)
            received += len(message.get("body", b""))
            if received > self._limits.body_bytes:
                raise self._too_large()
            complete = not message.get("more_body", False)
            return message

        return counted

    async def _in_time(self, receive: Receive, end: float) -> Message:
        try:
            async with asyncio.timeout_at(end):
                return await receive()
        except TimeoutError:
            said = f"The body must arrive within {self._limits.body_timeout_s:g} s."
            raise Problem(Kind.BODY_TIMEOUT, said, headers={"Connection": "close"}) from None

    def _too_large(self) -> Problem:
        said = f"A body may have {self._limits.body_bytes} bytes."
        return Problem(Kind.BODY_TOO_LARGE, said, headers={"Connection": "close"})


class _Answer:
    """Sends the answer, with the headers that every answer has."""

    def __init__(self, scope: Scope, send: Send, request_id: str, on_stream: Callable[["_Answer"], None]) -> None:
        """`on_stream` is told when the answer turns out to be a stream of events, which may take any time."""
        self.request_id = request_id
        self._scope = scope
        self._send = send
        self._on_stream = on_stream
        self._begun = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._begun = True
            headers = MutableHeaders(scope=message)
            headers["X-Request-Id"] = self.request_id
            headers["X-Content-Type-Options"] = "nosniff"
            headers.setdefault("Cache-Control", "no-store")
            headers.update(rate_of(self._scope))
            if headers.get("content-type", "").startswith(EVENT_STREAM):
                self._on_stream(self)  # It is no request in hand any more: streams have a limit of their own.
        await self._send(message)

    async def replace(self, scope: Scope, receive: Receive, problem: Problem) -> None:
        """Answer with a problem; an answer that has begun can only break off."""
        if not self._begun:
            await problem.response()(scope, receive, self.send)


def _request_id(scope: Scope) -> str | None:
    given = Headers(scope=scope).get("x-request-id", "")
    return given if _REQUEST_ID.fullmatch(given) else None


def _head_bytes(scope: Scope) -> int:
    return (
        len(scope["path"])
        + len(scope["query_string"])
        + sum(len(name) + len(value) for name, value in scope["headers"])
    )


def _is_probe(scope: Scope) -> bool:
    return scope["path"] in PROBES


def _internal_error(request_id: str) -> Problem:
    said = "The request could not be handled. The service's log says more under this request id."
    return Problem(Kind.INTERNAL_ERROR, said, extra={"request_id": request_id})
