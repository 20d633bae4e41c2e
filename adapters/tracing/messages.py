"""The spans of messages, with the names and attributes of OpenTelemetry's messaging conventions (1.44, in development).

https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/
"""

from collections.abc import Callable, Mapping, Sequence

from adapters.bus import Entry
from adapters.errors import Unavailable
from adapters.tracing.context import TraceContext, of_attempt, of_sending, parse
from adapters.tracing.port import Attribute, Finished, SpanKind, Tracer
from sagas.messages import CommandMessage, Kind

REPLIES = "replies"  #: what `send` and `process` are about where it is no participant

Results = Sequence[Unavailable | None]

_UNAVAILABLE = "unavailable"


def operation(name: str, stream: str, message_id: str, saga_id: str) -> dict[str, Attribute]:
    """What every span of a message says."""
    return {
        "messaging.system": "redis",
        "messaging.operation.name": name,
        "messaging.operation.type": name,
        "messaging.destination.name": stream,
        "messaging.message.id": message_id,
        "messaging.message.conversation_id": saga_id,
        "saga.id": saga_id,
    }


def about(step: str, kind: Kind, attempt: int) -> dict[str, Attribute]:
    """What a span says of the command that it is about."""
    return {"saga.step": step, "saga.kind": kind.value, "saga.attempt": attempt}


def sending(command: CommandMessage, time: str) -> TraceContext | None:
    """The context that this sending of a command carries: its own span's. `time` is the message's, as on the wire.

    None where it is not sampled: then the saga's own goes on.
    """
    saga = parse(command.traceparent)
    return None if saga is None or not saga.sampled else saga.at(of_sending(command.id, command.attempt, time))


def tell_commands(tracer: Tracer, entries: Sequence[Entry], results: Results, begin_ns: int) -> None:
    """Entries were put on their streams just now, or were meant to be: each command's sending becomes a span."""
    times = begin_ns, tracer.now_ns()
    for entry, error in zip(entries, results, strict=True):
        fields = entry.fields
        context = parse(fields.get("traceparent"))
        if context is None or not context.sampled:
            continue
        command_id, attempt = fields["id"], int(fields["attempt"])
        said = operation("send", entry.stream, command_id, fields["subject"])
        _, step, kind, *_ = command_id.split("/")
        said |= about(step, Kind(kind), attempt)
        parent = context.at(of_attempt(command_id, attempt))
        tracer.emit(_sent(fields["type"].partition(".")[0], parent, context.span_id, said, error, times))


class ReplySpans:
    """Watches what a bus publishes, and tells each reply's sending. `tracers` by the reply's `source`."""

    def __init__(self, tracers: Mapping[str, Tracer]) -> None:
        self._tracers = tracers

    def __call__(self, entries: Sequence[Entry]) -> Callable[[Results], None]:
        """Entries are about to be published; gets the results afterwards."""
        clock = next(iter(self._tracers.values()))
        begin_ns = clock.now_ns()

        def published(results: Results) -> None:
            times = begin_ns, clock.now_ns()
            for entry, error in zip(entries, results, strict=True):
                self._tell(entry, error, times)

        return published

    def _tell(self, entry: Entry, error: Unavailable | None, times: tuple[int, int]) -> None:
        fields = entry.fields
        context, tracer = parse(fields.get("traceparent")), self._tracers.get(fields.get("source", ""))
        if context is not None and tracer is not None and "causationid" in fields:
            said = operation("send", entry.stream, fields["id"], fields["subject"])
            said["saga.outcome"] = fields["outcome"]
            tracer.emit(_sent(REPLIES, context, None, said, error, times))


def _sent(
    to: str,
    parent: TraceContext,
    span_id: int | None,
    attributes: Mapping[str, Attribute],
    error: Unavailable | None,
    times: tuple[int, int],
) -> Finished:
    return Finished(
        name=f"send {to}",
        kind=SpanKind.PRODUCER,
        parent=parent,
        span_id=span_id,
        begin_ns=times[0],
        end_ns=times[1],
        attributes=attributes,
        error=None if error is None else _UNAVAILABLE,
    )
