"""What the product tells a tracer: spans whose ends are known, and spans around something that is being done now.

A tracer never raises and never waits: a trace that can't be written is lost, a saga is not.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

from adapters.tracing.context import TraceContext

Attribute = str | int | bool | Sequence[str]
Attributes = Mapping[str, Attribute]

BEGUN_HERE = 0  #: as a parent's span id: there is none, the trace begins with this span


class SpanKind(Enum):
    """As OpenTelemetry has them."""

    INTERNAL = 0
    SERVER = 1  #: answers a request
    PRODUCER = 3  #: puts a message on a stream
    CONSUMER = 4  #: handles a message


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """A span told after the fact. Times are nanoseconds since 1970."""

    name: str
    parent: TraceContext
    begin_ns: int
    end_ns: int
    kind: SpanKind = SpanKind.INTERNAL
    span_id: int | None = None  #: None: any
    attributes: Attributes = field(default_factory=dict)
    links: tuple[TraceContext, ...] = ()
    error: str | None = None  #: a code; never words, which may hold anything


class LiveSpan(Protocol):
    """The span around what is being done."""

    @property
    def context(self) -> TraceContext | None:
        """Its place; None where nothing is traced."""
        ...

    def rename(self, name: str) -> None:
        """Give it the name that is known only now."""
        ...

    def tell(self, attributes: Attributes) -> None:
        """Add attributes."""
        ...

    def fail(self, code: str) -> None:
        """Say that it went wrong."""
        ...


class Tracer(Protocol):
    """Writes the spans of one service."""

    @property
    def on(self) -> bool:
        """Whether anything is written at all."""
        ...

    def now_ns(self) -> int:
        """Nanoseconds since 1970."""
        ...

    def begin_trace(self, name: str, span_id: int) -> TraceContext | None:
        """A new trace that begins with this span, which is told later; None where nothing is traced."""
        ...

    def emit(self, span: Finished) -> None:
        """Write a span."""
        ...

    def around(
        self,
        name: str,
        *,
        kind: SpanKind = SpanKind.INTERNAL,
        parent: TraceContext | None = None,
        attributes: Attributes | None = None,
        links: Sequence[TraceContext] = (),
    ) -> AbstractContextManager[LiveSpan]:
        """A span around the block: the current one within it. Without a parent it begins a trace."""
        ...

    def current(self) -> TraceContext | None:
        """The span around this moment, for links."""
        ...

    def link(self, context: TraceContext) -> None:
        """Say that the span around this moment has to do with another one."""
        ...

    def service(self, name: str) -> "Tracer":
        """The tracer of another service in this process."""
        ...

    def shutdown(self, within_s: float) -> None:
        """Write what is waiting, in the given time; then write nothing more."""
        ...


class _NoSpan:
    context: TraceContext | None = None

    def rename(self, name: str) -> None:
        pass

    def tell(self, attributes: Attributes) -> None:
        pass

    def fail(self, code: str) -> None:
        pass


_NO_SPAN = _NoSpan()


class Untraced:
    """The tracer where nobody traces."""

    on = False

    def now_ns(self) -> int:
        return 0

    def begin_trace(self, name: str, span_id: int) -> TraceContext | None:
        return None

    def emit(self, span: Finished) -> None:
        pass

    @contextmanager
    def around(
        self,
        name: str,
        *,
        kind: SpanKind = SpanKind.INTERNAL,
        parent: TraceContext | None = None,
        attributes: Attributes | None = None,
        links: Sequence[TraceContext] = (),
    ) -> Iterator[LiveSpan]:
        yield _NO_SPAN

    def current(self) -> TraceContext | None:
        return None

    def link(self, context: TraceContext) -> None:
        pass

    def service(self, name: str) -> "Untraced":
        return self

    def shutdown(self, within_s: float) -> None:
        pass
