"""A span around each request, in the client's trace where it has one; and what routes need of it.

Probes and scrapes are not traced: they would be most of what is to be seen. Nor are streams of events, which last for
as long as somebody listens.
"""

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bound_contextvars

from adapters.tracing.context import of_saga, parse, trace_id_of
from adapters.tracing.port import Attribute, LiveSpan, SpanKind, Tracer
from orchestrator.api.caller import PROBES, found, note
from orchestrator.api.headers import traceparent
from orchestrator.core.state import SagaState

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_STREAMS = "/events"
_OTHER = "HTTP"  #: the name of a request whose method nobody knows


class Traced:
    """Wraps the application."""

    def __init__(self, app: ASGIApp, tracer: Tracer) -> None:
        self._app = app
        self._tracer = tracer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in PROBES or scope["path"].endswith(_STREAMS):
            await self._app(scope, receive, send)
            return
        given = traceparent(Headers(scope=scope))
        if not self._tracer.on:
            await self._logged(scope, receive, send, given)
            return
        method = scope["method"] if scope["method"] in _METHODS else _OTHER
        with self._tracer.around(method, kind=SpanKind.SERVER, parent=parse(given)) as span:
            note(scope, traceparent=str(span.context))
            await self._logged(scope, receive, _noting(scope, span, method, send), str(span.context))

    async def _logged(self, scope: Scope, receive: Receive, send: Send, context: str | None) -> None:
        trace_id = trace_id_of(context)
        if trace_id is None:
            await self._app(scope, receive, send)
            return
        with bound_contextvars(trace_id=trace_id):
            await self._app(scope, receive, send)


def trace_context(request: HTTPConnection) -> str | None:
    """What a saga that this request starts belongs to: the request's own span, or else what the client sent."""
    return found(request.scope, "traceparent") or traceparent(request.headers)


def link(tracer: Tracer, *states: SagaState) -> None:
    """Link the request's span with the traces of sagas that are not in its own."""
    around = tracer.current()
    for state in states:
        context = parse(state.traceparent)
        if around is not None and context is not None and context.trace_id != around.trace_id:
            tracer.link(context.at(of_saga(state.id)))


def _noting(scope: Scope, span: LiveSpan, method: str, send: Send) -> Send:
    async def noting(message: Message) -> None:
        if message["type"] == "http.response.start":
            _tell(scope, span, method, message["status"])
        await send(message)

    return noting


def _tell(scope: Scope, span: LiveSpan, method: str, status: int) -> None:
    """By now the route is known, and who asked."""
    said: dict[str, Attribute] = {"http.request.method": method, "http.response.status_code": status}
    said["url.scheme"] = scope["scheme"]
    route = getattr(scope.get("route"), "path", None)
    if isinstance(route, str):  # Of other paths nothing is told: a client may write anything there.
        said |= {"http.route": route, "url.path": scope["path"]}
        span.rename(f"{method} {route}")
    for name, attribute in (("request_id", "saga.request_id"), ("caller", "saga.caller")):
        if value := found(scope, name):
            said[attribute] = value
    span.tell(said)
    if status >= 500:
        span.fail(str(status))
