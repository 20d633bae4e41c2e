"""What every request passes through on its way to a route, and every answer on its way back.

In this order: it is traced, counted, held to what it may cost, let in by the door; whatever goes wrong becomes a
problem. One layer does all of it, because each layer costs every request; and it finds the routes of starts by itself,
because FastAPI takes longer to find one than the rest of this. Plain ASGI.
"""

import asyncio
import re
from collections.abc import Callable, Mapping
from functools import partial

import structlog
from fastapi.routing import APIRoute
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bind_contextvars, reset_contextvars

from adapters.tracing.context import trace_id_of
from orchestrator.api.access import Door, path_of
from orchestrator.api.caller import Asked, note
from orchestrator.api.guard import Guard
from orchestrator.api.headers import Fields, traceparent
from orchestrator.api.metrics import Counted
from orchestrator.api.problems import Kind, Problem
from orchestrator.api.services import Services
from orchestrator.api.sse import MEDIA_TYPE as EVENT_STREAM
from orchestrator.api.throttle import Throttle
from orchestrator.api.tracing import is_traced, request_span

log = structlog.get_logger(__name__)

BROKEN_OFF = 499  #: the client has gone before there was an answer
_STREAM = EVENT_STREAM.encode()
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")

Judge = Callable[[Scope, Exception], Problem | None]
Direct = Mapping[tuple[str, str], APIRoute]


class Entrance:
    """Wraps the application."""

    def __init__(self, app: ASGIApp, services: Services, direct: Direct, judge: Judge) -> None:
        """`direct`: routes that take the request alone; `judge` says what an error is for a client."""
        self._app = app
        self._direct = direct
        self._judge = judge
        self._new_id = services.new_id
        self._tracer = services.tracer
        self._counted = Counted(services.metrics.recorder, logged=services.access_log)
        self._guard = Guard(services.limits)
        throttle = Throttle(services.rates)
        self._door = Door(services.keys, services.auditor, throttle, services.engine.clock)
        self._in_hand: set[Answer] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        fields = Fields(scope["headers"])
        request_id = _request_id(fields) or self._new_id()
        asked = Asked(fields, request_id, partial(self._guard.body, receive), traceparent=traceparent(fields))
        note(scope, asked)
        answer = Answer(asked, send, self._in_hand.discard)
        if self._tracer.on and is_traced(scope):
            with request_span(self._tracer, scope, asked) as tell:
                try:
                    await self._answered(scope, receive, answer)
                finally:
                    if answer.begun:
                        tell(answer.status)
        else:
            await self._answered(scope, receive, answer)

    async def _answered(self, scope: Scope, receive: Receive, answer: "Answer") -> None:
        """Always, unless the answer has begun or the client has gone."""
        asked, loop = answer.asked, asyncio.get_running_loop()
        begun = loop.time()
        bound = bind_contextvars(**_told(scope, asked))
        self._in_hand.add(answer)
        try:
            self._guard.check(scope, asked.fields, len(self._in_hand))
            await self._door.check(scope, asked)
            if asked.caller:
                bound = {**bound, **bind_contextvars(caller=asked.caller)}
            await self._routed(scope, receive, answer)
        except ClientDisconnect:
            pass  # Nobody is left to be told, and nothing of ours has failed.
        except Exception as error:  # noqa: BLE001 - nobody above knows what to say
            await self._refuse(scope, receive, answer, error)
        finally:
            self._in_hand.discard(answer)
            self._counted.count(scope, asked, answer.status, loop.time() - begun)
            reset_contextvars(**bound)

    async def _routed(self, scope: Scope, receive: Receive, answer: "Answer") -> None:
        route = self._direct.get((scope["method"], path_of(scope)))
        if route is None:
            await self._app(scope, receive, answer.send)
            return
        scope["route"] = route  # As FastAPI does: metrics and traces ask.
        response = await route.endpoint(Request(scope, receive))
        await response(scope, receive, answer.send)

    async def _refuse(self, scope: Scope, receive: Receive, answer: "Answer", error: Exception) -> None:
        """Answer with a problem; an answer that has begun can only break off."""
        problem = None if answer.begun else self._judge(scope, error)
        if problem is None:
            request_id = answer.asked.request_id
            log.error(
                "request-failed", request_id=request_id, method=scope["method"], path=scope["path"], exc_info=error
            )
            problem = _internal_error(request_id)
        if not answer.begun:
            await problem.response()(scope, receive, answer.send)


class Answer:
    """Sends the answer, with the headers that every answer has."""

    def __init__(self, asked: Asked, send: Send, on_stream: Callable[["Answer"], None]) -> None:
        """`on_stream` is told when the answer turns out to be a stream of events, which may take any time."""
        self.asked = asked
        self.begun = False
        self.status = BROKEN_OFF  #: until it has begun
        self._send = send
        self._on_stream = on_stream

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.begun = True
            self.status = message["status"]
            message["headers"] = [*message["headers"], *self._everywhere(dict(message["headers"]))]
        await self._send(message)

    def _everywhere(self, given: Mapping[bytes, bytes]) -> list[tuple[bytes, bytes]]:
        if given.get(b"content-type", b"").startswith(_STREAM):
            self._on_stream(self)  # It is no request in hand any more: streams have a limit of their own.
        added = [(b"x-request-id", self.asked.request_id.encode()), (b"x-content-type-options", b"nosniff")]
        if b"cache-control" not in given:
            added.append((b"cache-control", b"no-store"))
        return added + [(name.encode(), value.encode()) for name, value in self.asked.rate.items()]


def _request_id(fields: Fields) -> str | None:
    given = fields.get("x-request-id")
    return given if _REQUEST_ID.fullmatch(given) else None


def _told(scope: Scope, asked: Asked) -> dict[str, str]:
    """What each line of the log says."""
    trace_id = trace_id_of(asked.traceparent) if is_traced(scope) else None
    return {"request_id": asked.request_id} | ({} if trace_id is None else {"trace_id": trace_id})


def _internal_error(request_id: str) -> Problem:
    said = "The request could not be handled. The service's log says more under this request id."
    return Problem(Kind.INTERNAL_ERROR, said, extra={"request_id": request_id})
