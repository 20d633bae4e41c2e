"""Spans by OpenTelemetry's SDK.

Ids that are derived come from an id generator of our own, on tracers of our own: nobody else's spans are touched.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import structlog
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace import Tracer as SdkTracerType
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.trace import NonRecordingSpan, Span, SpanContext, Status, StatusCode, TraceFlags

from adapters.tracing.context import TraceContext
from adapters.tracing.port import BEGUN_HERE, Attributes, Finished, SpanKind

log = structlog.get_logger(__name__)

SCOPE = "saga-orchestrator"  #: the instrumentation scope of every span of ours

_KINDS = {kind: trace.SpanKind(kind.value) for kind in SpanKind}
_NOWHERE = Context()


class GivenIds(IdGenerator):
    """The ids that were given for the next span; else those of another generator."""

    def __init__(self, other: IdGenerator) -> None:
        self._other = other
        self._trace_id: int | None = None
        self._span_id: int | None = None

    def generate_span_id(self) -> int:
        return self._other.generate_span_id() if self._span_id is None else self._span_id

    def generate_trace_id(self) -> int:
        return self._other.generate_trace_id() if self._trace_id is None else self._trace_id

    @contextmanager
    def given(self, trace_id: int | None, span_id: int | None) -> Iterator[None]:
        """Give these within the block, to one span; None: any."""
        self._trace_id, self._span_id = trace_id, span_id
        try:
            yield
        finally:
            self._trace_id = self._span_id = None


class OtelTracer:
    """Implements `adapters.tracing.port.Tracer`. Used from one event loop."""

    on = True

    def __init__(
        self, provider_of: Callable[[str], TracerProvider], service: str, now_ns: Callable[[], int], *, own: bool = True
    ) -> None:
        """`own`: whether the provider is ours to end."""
        self._provider_of = provider_of
        self._now_ns = now_ns
        self._own = own
        self.provider = provider_of(service)
        tracer = self.provider.get_tracer(SCOPE)
        assert isinstance(tracer, SdkTracerType), "a provider of the SDK makes tracers of the SDK"
        self._ids = GivenIds(tracer.id_generator)
        self._plain = tracer
        self._tracer = self.provider.get_tracer(SCOPE)
        self._tracer.id_generator = self._ids  # type: ignore[attr-defined]  # an attribute of the SDK's tracers

    def now_ns(self) -> int:
        return self._now_ns()

    def begin_trace(self, name: str, span_id: int) -> TraceContext | None:
        # Started for its ids and the sampler's decision; a span that never ends is never written.
        with self._ids.given(None, span_id):
            return _place(self._tracer.start_span(name, context=_NOWHERE))

    def emit(self, span: Finished) -> None:
        if not span.parent.sampled:
            return
        try:
            self._emit(span)
        except Exception as error:  # noqa: BLE001 - a span that can't be written must not cost a saga anything
            log.warning("span-not-written", span=span.name, error=type(error).__name__)

    def _emit(self, span: Finished) -> None:
        begins = span.parent.span_id == BEGUN_HERE
        with self._ids.given(span.parent.trace_id if begins else None, span.span_id):
            written = self._tracer.start_span(
                span.name,
                context=_NOWHERE if begins else _within(span.parent),
                kind=_KINDS[span.kind],
                attributes=span.attributes,
                links=_links(span.links),
                start_time=span.begin_ns,
            )
        if span.error is not None:
            written.set_status(Status(StatusCode.ERROR, span.error))
        written.end(max(span.end_ns, span.begin_ns))

    @contextmanager
    def around(
        self,
        name: str,
        *,
        kind: SpanKind = SpanKind.INTERNAL,
        parent: TraceContext | None = None,
        attributes: Attributes | None = None,
        links: Sequence[TraceContext] = (),
    ) -> Iterator["_Live"]:
        context = _NOWHERE if parent is None else _within(parent)
        span = self._plain.start_span(
            name, context=context, kind=_KINDS[kind], attributes=attributes, links=_links(links)
        )
        # What is raised says nothing here: its words may hold anything. Whoever uses the span tells a code.
        with trace.use_span(span, end_on_exit=True, record_exception=False, set_status_on_exception=False):
            yield _Live(span)

    def current(self) -> TraceContext | None:
        return _place(trace.get_current_span())

    def link(self, context: TraceContext) -> None:
        trace.get_current_span().add_link(_span_context(context))

    def service(self, name: str) -> "OtelTracer":
        return OtelTracer(self._provider_of, name, self._now_ns, own=self._own)

    def shutdown(self, within_s: float) -> None:
        # In a thread that nobody waits for at the end: the SDK tries a dead collector for longer than we do.
        end = self.provider.shutdown if self._own else self.provider.force_flush
        ending = threading.Thread(target=end, daemon=True)
        ending.start()
        ending.join(within_s)


class _Live:
    """A span of the SDK, as the port wants it."""

    def __init__(self, span: Span) -> None:
        self._span = span
        self.context = _place(span)

    def rename(self, name: str) -> None:
        self._span.update_name(name)

    def tell(self, attributes: Attributes) -> None:
        self._span.set_attributes(attributes)

    def fail(self, code: str) -> None:
        self._span.set_status(Status(StatusCode.ERROR, code))


def _place(span: Span) -> TraceContext | None:
    found = span.get_span_context()
    return TraceContext(found.trace_id, found.span_id, found.trace_flags.sampled) if found.is_valid else None


def _span_context(place: TraceContext) -> SpanContext:
    flags = TraceFlags(TraceFlags.SAMPLED if place.sampled else TraceFlags.DEFAULT)
    return SpanContext(place.trace_id, place.span_id, is_remote=True, trace_flags=flags)


def _within(place: TraceContext) -> Context:
    return trace.set_span_in_context(NonRecordingSpan(_span_context(place)), _NOWHERE)


def _links(places: Sequence[TraceContext]) -> list[trace.Link]:
    return [trace.Link(_span_context(place)) for place in places]
