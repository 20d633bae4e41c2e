"""Spans as tests look at them: kept in memory, or collected over OTLP as by a collector; and drawn as a waterfall."""

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import Sampler

from adapters.tracing.otel import OtelTracer

_KINDS = {1: "INTERNAL", 2: "SERVER", 3: "CLIENT", 4: "PRODUCER", 5: "CONSUMER"}


@dataclass(frozen=True)
class Seen:
    """One span, as it was written."""

    service: str
    name: str
    kind: str
    trace_id: str
    span_id: str
    parent_id: str  #: "" where the trace begins
    begin_ns: int
    end_ns: int
    attributes: Mapping[str, Any]
    links: Sequence[tuple[str, str]] = ()  #: trace and span ids
    error: str | None = None


@dataclass
class Traces:
    """Every span that was written."""

    spans: list[Seen] = field(default_factory=list)

    def of_saga(self, saga_id: str) -> "Traces":
        """The whole trace that this saga is in."""
        ids = {span.trace_id for span in self.spans if span.attributes.get("saga.id") == saga_id}
        return Traces([span for span in self.spans if span.trace_id in ids])

    @property
    def ids(self) -> set[str]:
        """The traces."""
        return {span.trace_id for span in self.spans}

    @property
    def orphans(self) -> list[Seen]:
        """Spans whose parent nobody has written."""
        there = {span.span_id for span in self.spans}
        return [span for span in self.spans if span.parent_id and span.parent_id not in there]

    @property
    def twins(self) -> list[str]:
        """Span ids that were written more than once."""
        ids = [span.span_id for span in self.spans]
        return sorted({span_id for span_id in ids if ids.count(span_id) > 1})

    def named(self, name: str) -> list[Seen]:
        """The spans of that name, oldest first."""
        return sorted((span for span in self.spans if span.name == name), key=lambda span: span.begin_ns)

    def one(self, name: str) -> Seen:
        """The only span of that name."""
        (span,) = self.named(name)
        return span

    def children(self, parent: Seen) -> list[str]:
        """The names of a span's children, oldest first."""
        return [span.name for span in self.spans if span.parent_id == parent.span_id]


class KeepingExporter(SpanExporter):
    """Keeps spans as they are written."""

    def __init__(self, traces: Traces) -> None:
        self._traces = traces

    def export(self, spans: Sequence[Any]) -> SpanExportResult:
        for span in spans:
            place, parent = span.get_span_context(), span.parent
            self._traces.spans.append(
                Seen(
                    service=span.resource.attributes["service.name"],
                    name=span.name,
                    kind=span.kind.name,
                    trace_id=f"{place.trace_id:032x}",
                    span_id=f"{place.span_id:016x}",
                    parent_id=f"{parent.span_id:016x}" if parent else "",
                    begin_ns=span.start_time,
                    end_ns=span.end_time,
                    attributes=dict(span.attributes),
                    links=[(f"{one.context.trace_id:032x}", f"{one.context.span_id:016x}") for one in span.links],
                    error=span.status.description if not span.status.is_ok else None,
                )
            )
        return SpanExportResult.SUCCESS


def keeping(
    traces: Traces, service: str = "saga-orchestrator", now_ns: Any = None, sampler: Sampler | None = None
) -> OtelTracer:
    """A tracer whose spans are kept in memory at once."""
    processor = SimpleSpanProcessor(KeepingExporter(traces))

    def provider_of(name: str) -> TracerProvider:
        provider = TracerProvider(resource=Resource({"service.name": name}), sampler=sampler, shutdown_on_exit=False)
        provider.add_span_processor(processor)
        return provider

    return OtelTracer(provider_of, service, now_ns or _system_ns)


def _system_ns() -> int:
    from time import time_ns  # noqa: PLC0415

    return time_ns()


@dataclass
class Collector:
    """What listens for OTLP over HTTP."""

    url: str
    traces: Traces


@contextmanager
def collecting() -> Iterator[Collector]:
    """A collector on a free port."""
    traces = Traces()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.headers.get("content-encoding") == "gzip":
                import gzip  # noqa: PLC0415

                body = gzip.decompress(body)
            traces.spans.extend(_decoded(ExportTraceServiceRequest.FromString(body)))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield Collector(f"http://127.0.0.1:{server.server_port}", traces)
        finally:
            server.shutdown()
            thread.join()


def _decoded(request: Any) -> Iterator[Seen]:
    for resource in request.resource_spans:
        service = _attributes(resource.resource.attributes)["service.name"]
        for span in (span for scope in resource.scope_spans for span in scope.spans):
            yield Seen(
                service=service,
                name=span.name,
                kind=_KINDS[span.kind],
                trace_id=span.trace_id.hex(),
                span_id=span.span_id.hex(),
                parent_id=span.parent_span_id.hex(),
                begin_ns=span.start_time_unix_nano,
                end_ns=span.end_time_unix_nano,
                attributes=_attributes(span.attributes),
                links=[(link.trace_id.hex(), link.span_id.hex()) for link in span.links],
                error=span.status.message if span.status.code == 2 else None,
            )


def _attributes(given: Iterable[Any]) -> dict[str, Any]:
    return {one.key: _value(one.value) for one in given}


def _value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    found = getattr(value, kind)
    return [_value(one) for one in found.values] if kind == "array_value" else found


WIDTH = 40
NAMES = 38


def drawn(traces: Traces) -> str:
    """A waterfall: each span under its parent, oldest first, on one scale of time."""
    begin = min(span.begin_ns for span in traces.spans)
    scale = max(max(span.end_ns for span in traces.spans) - begin, 1)
    lines: list[str] = []

    def draw(span: Seen, depth: int) -> None:
        left = min(WIDTH - 1, (span.begin_ns - begin) * WIDTH // scale)
        right = max(left + 1, -(-(span.end_ns - begin) * WIDTH // scale))
        bar = " " * left + "█" * (right - left)
        told = span.attributes.get("saga.outcome") or span.attributes.get("saga.status") or ""
        took = f"{(span.end_ns - span.begin_ns) / 1e6:8.1f} ms"
        name = f"{'  ' * depth}{span.name}"
        line = f"{name:{NAMES}} {span.service.removeprefix('saga-participant-'):17} |{bar:{WIDTH}}|{took}  {told}"
        lines.append(line.rstrip() + (f" ({span.error})" if span.error else ""))
        for child in _in_order(one for one in traces.spans if one.parent_id == span.span_id):
            draw(child, depth + 1)

    there = {span.span_id for span in traces.spans}
    for span in _in_order(one for one in traces.spans if one.parent_id not in there):
        draw(span, 0)
    return "\n".join(lines)


def _in_order(spans: Iterable[Seen]) -> list[Seen]:
    return sorted(spans, key=lambda span: (span.begin_ns, -span.end_ns))
