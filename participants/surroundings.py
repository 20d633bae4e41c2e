"""What surrounds the handling of commands: their spans, and the ids that every log line within carries.

A command handled by itself has a span around it, in its saga's trace: what a handler and its libraries trace joins it.
Commands handled together have a span each in their own traces, and one around them all, a trace by itself, with links
both ways: nothing that is done for a whole batch belongs to one saga.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager

from structlog.contextvars import bound_contextvars

from adapters.errors import Unavailable
from adapters.tracing.context import TraceContext, parse, trace_id_of
from adapters.tracing.messages import about, operation
from adapters.tracing.port import Attribute, Finished, LiveSpan, SpanKind, Tracer, Untraced
from participants.barrier import Answer
from sagas.messages import CommandMessage, Outcome

Tell = Callable[[CommandMessage, Answer], None]  #: the answer to a command is known

UNAVAILABLE = "unavailable"
ABORTED = "aborted"  #: the commands are done again, one by one


class Surroundings:
    """Of one participant's handlers."""

    def __init__(self, participant: str, stream: str, tracer: Tracer | None = None) -> None:
        self._participant = participant
        self._stream = stream
        self._tracer = tracer or Untraced()
        self._name = f"process {participant}"

    @contextmanager
    def alone(self, command: CommandMessage) -> Iterator[Tell]:
        """Around one command."""
        context = _sampled(command)
        with _logging(self._participant, command):
            if context is None:
                yield _untold
                return
            said = self._said(command)
            with self._tracer.around(self._name, kind=SpanKind.CONSUMER, parent=context, attributes=said) as span:
                try:
                    yield lambda _, answer: _tell(span, answer)
                except Unavailable:
                    span.fail(UNAVAILABLE)
                    raise

    @contextmanager
    def together(self, commands: Sequence[CommandMessage]) -> Iterator[Tell]:
        """Around commands that share a transaction."""
        if len(commands) == 1:
            with self.alone(commands[0]) as tell:
                yield tell
            return
        contexts = {command.id: found for command in commands if (found := _sampled(command)) is not None}
        with bound_contextvars(participant=self._participant):
            if not self._tracer.on or not contexts:
                yield _untold
                return
            with self._batch(contexts, len(commands)) as tell:
                yield tell

    @contextmanager
    def _batch(self, contexts: Mapping[str, TraceContext], count: int) -> Iterator[Tell]:
        tracer, links = self._tracer, list(contexts.values())
        said: dict[str, Attribute] = {
            "messaging.system": "redis",
            "messaging.operation.name": "process",
            "messaging.operation.type": "process",
            "messaging.destination.name": self._stream,
            "messaging.batch.message_count": count,
        }
        begin_ns = tracer.now_ns()
        with tracer.around(f"{self._name} batch", kind=SpanKind.CONSUMER, attributes=said, links=links) as span:
            around = () if span.context is None else (span.context,)

            def tell(command: CommandMessage, answer: Answer) -> None:
                if (context := contexts.get(command.id)) is not None:
                    tracer.emit(self._processed(command, answer, context, around, begin_ns, count))

            try:
                yield tell
            except Unavailable:
                span.fail(UNAVAILABLE)
                raise
            except Exception:
                span.fail(ABORTED)
                raise

    def _processed(
        self,
        command: CommandMessage,
        answer: Answer,
        context: TraceContext,
        links: tuple[TraceContext, ...],
        begin_ns: int,
        count: int,
    ) -> Finished:
        said = {**self._said(command), **_outcome(answer), "messaging.batch.message_count": count}
        return Finished(
            name=self._name,
            kind=SpanKind.CONSUMER,
            parent=context,
            begin_ns=begin_ns,
            end_ns=self._tracer.now_ns(),
            attributes=said,
            links=links,
            error=_error(answer),
        )

    def _said(self, command: CommandMessage) -> dict[str, Attribute]:
        said = operation("process", self._stream, command.id, command.saga_id)
        return said | about(command.step, command.kind, command.attempt)


def _sampled(command: CommandMessage) -> TraceContext | None:
    context = parse(command.traceparent)
    return context if context is not None and context.sampled else None


def _logging(participant: str, command: CommandMessage) -> AbstractContextManager[None]:
    ids = {"participant": participant, "saga_id": command.saga_id, "command_id": command.id}
    trace_id = trace_id_of(command.traceparent)
    return bound_contextvars(**ids, **({"trace_id": trace_id} if trace_id else {}))


def _outcome(answer: Answer) -> dict[str, Attribute]:
    said: dict[str, Attribute] = {"saga.outcome": answer.outcome.value}
    if answer.outcome is not Outcome.SUCCEEDED and "code" in answer.data:
        said["saga.code"] = str(answer.data["code"])
    return said


def _error(answer: Answer) -> str | None:
    return str(answer.data.get("code", "failed")) if answer.outcome is Outcome.FAILED else None


def _tell(span: LiveSpan, answer: Answer) -> None:
    span.tell(_outcome(answer))
    if (error := _error(answer)) is not None:
        span.fail(error)


def _untold(_command: CommandMessage, _answer: Answer) -> None:
    pass
