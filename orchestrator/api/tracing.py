"""A span around each request, in the client's trace where it has one.

Probes and scrapes are not traced: they would be most of what is to be seen. Nor are streams of events, which last for
as long as somebody listens.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from starlette.types import Scope

from adapters.tracing.context import of_saga, parse
from adapters.tracing.port import Attribute, LiveSpan, SpanKind, Tracer
from orchestrator.api.caller import PROBES, Asked
from orchestrator.core.state import SagaState

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_STREAMS = "/events"
_OTHER = "HTTP"  #: the name of a request whose method nobody knows


def is_traced(scope: Scope) -> bool:
    """Whether this request belongs to a trace."""
    return scope["path"] not in PROBES and not scope["path"].endswith(_STREAMS)


@contextmanager
def request_span(tracer: Tracer, scope: Scope, asked: Asked) -> Iterator[Callable[[int], None]]:
    """What the request starts belongs to this span. Gives what is to be told of the answer's status."""
    method = scope["method"] if scope["method"] in _METHODS else _OTHER
    with tracer.around(method, kind=SpanKind.SERVER, parent=parse(asked.traceparent)) as span:
        asked.traceparent = str(span.context)
        yield lambda status: _tell(scope, asked, span, method, status)


def link(tracer: Tracer, *states: SagaState) -> None:
    """Link the request's span with the traces of sagas that are not in its own."""
    around = tracer.current()
    for state in states:
        context = parse(state.traceparent)
        if around is not None and context is not None and context.trace_id != around.trace_id:
            tracer.link(context.at(of_saga(state.id)))


def _tell(scope: Scope, asked: Asked, span: LiveSpan, method: str, status: int) -> None:
    """By now the route is known, and who asked."""
    said: dict[str, Attribute] = {"http.request.method": method, "http.response.status_code": status}
    said["url.scheme"] = scope["scheme"]
    route = getattr(scope.get("route"), "path", None)
    if isinstance(route, str):  # Of other paths nothing is told: a client may write anything there.
        said |= {"http.route": route, "url.path": scope["path"]}
        span.rename(f"{method} {route}")
    said["saga.request_id"] = asked.request_id
    if asked.caller:
        said["saga.caller"] = asked.caller
    span.tell(said)
    if status >= 500:
        span.fail(str(status))
