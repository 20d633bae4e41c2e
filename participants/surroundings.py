"""What surrounds the handling of commands: their spans, their counts, and the ids that every log line within carries.

A command handled by itself has a span around it, in its saga's trace: what a handler and its libraries trace joins it.
Commands handled together have a span each in their own traces, and one around them all, a trace by itself, with links
both ways: nothing that is done for a whole batch belongs to one saga.
"""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from typing import Protocol

from structlog.contextvars import bound_contextvars

from adapters.errors import Unavailable
from adapters.tracing.context import TraceContext, parse, trace_id_of
from adapters.tracing.messages import about, operation
from adapters.tracing.port import Attribute, Finished, LiveSpan, SpanKind, Tracer, Untraced
from participants.barrier import Answer
from participants.metrics import OTHER, Recorder
from sagas.messages import CommandMessage, Outcome


class Tell(Protocol):
    """Called when the answer to a command is known; `repeat`: it was known before."""

    def __call__(self, command: CommandMessage, answer: Answer, *, repeat: bool) -> None: ...


UNAVAILABLE = "unavailable"
ABORTED = "aborted"  #: the commands are done again, one by one


class Surroundings:
    """Of one participant's handlers."""

    def __init__(
        self, participant: str, stream: str, *, tracer: Tracer | None = None, recorder: Recorder | None = None
    ) -> None:
        self._participant = participant
        self._stream = stream
        self._tracer = tracer or Untraced()
        self._recorder = recorder
        self._name = f"process {participant}"
        self._commands: frozenset[str] = frozenset()

    def knows(self, commands: Iterable[str]) -> None:
        """The types that there are handlers for: others are not counted by their name."""
        self._commands = frozenset(commands)
        if self._recorder is not None:
            self._recorder.participates(self._participant, sorted(self._commands))

    def taken_up(self, commands: Sequence[CommandMessage], now: datetime) -> None:
        """Commands have come, in one batch."""
        if self._recorder is not None and commands:
            self._recorder.taken_up(self._participant, [(now - command.time).total_seconds() for command in commands])

    @contextmanager
    def alone(self, command: CommandMessage) -> Iterator[Tell]:
        """Around one command."""
        context = _sampled(command)
        with _logging(self._participant, command):
            count = self._counting()
            if context is None:
                yield count
                return
            said = self._said(command)
            with self._tracer.around(self._name, kind=SpanKind.CONSUMER, parent=context, attributes=said) as span:

                def tell(command: CommandMessage, answer: Answer, *, repeat: bool) -> None:
                    count(command, answer, repeat=repeat)
                    _tell(span, answer, repeat=repeat)

                with _failing(span):
                    yield tell

    @contextmanager
    def together(self, commands: Sequence[CommandMessage]) -> Iterator[Tell]:
        """Around commands that share a transaction."""
        if len(commands) == 1:
            with self._aborting(), self.alone(commands[0]) as tell:
                yield tell
            return
        contexts = {command.id: found for command in commands if (found := _sampled(command)) is not None}
        with bound_contextvars(participant=self._participant), self._aborting():
            if not self._tracer.on or not contexts:
                yield self._counting()
            else:
                with self._batch(contexts, len(commands)) as tell:
                    yield tell

    def _counting(self) -> Tell:
        recorder, begun = self._recorder, time.perf_counter()

        def count(command: CommandMessage, answer: Answer, *, repeat: bool) -> None:
            if recorder is not None:
                name, took_s = command.type if command.type in self._commands else OTHER, time.perf_counter() - begun
                recorder.answered(self._participant, name, answer.outcome, took_s, repeat=repeat)

        return count

    @contextmanager
    def _aborting(self) -> Iterator[None]:
        try:
            yield
        except Unavailable:
            raise
        except Exception:
            if self._recorder is not None:
                self._recorder.aborted(self._participant)
            raise

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
        begin_ns, count_answer = tracer.now_ns(), self._counting()
        with tracer.around(f"{self._name} batch", kind=SpanKind.CONSUMER, attributes=said, links=links) as span:
            around = () if span.context is None else (span.context,)

            def tell(command: CommandMessage, answer: Answer, *, repeat: bool) -> None:
                count_answer(command, answer, repeat=repeat)
                if (context := contexts.get(command.id)) is not None:
                    span_of = self._processed(command, answer, context, around, (begin_ns, count), repeat=repeat)
                    tracer.emit(span_of)

            with _failing(span):
                yield tell

    def _processed(
        self,
        command: CommandMessage,
        answer: Answer,
        context: TraceContext,
        links: tuple[TraceContext, ...],
        batch: tuple[int, int],
        *,
        repeat: bool,
    ) -> Finished:
        begin_ns, count = batch
        said = {**self._said(command), **_outcome(answer, repeat=repeat), "messaging.batch.message_count": count}
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


@contextmanager
def _failing(span: LiveSpan) -> Iterator[None]:
    """Say of what is raised what it means for the commands; its words may hold anything."""
    try:
        yield
    except Unavailable:
        span.fail(UNAVAILABLE)
        raise
    except Exception:
        span.fail(ABORTED)
        raise


def _outcome(answer: Answer, *, repeat: bool) -> dict[str, Attribute]:
    said: dict[str, Attribute] = {"saga.outcome": answer.outcome.value}
    if answer.outcome is not Outcome.SUCCEEDED and "code" in answer.data:
        said["saga.code"] = str(answer.data["code"])
    if repeat:
        said["saga.repeat"] = True
    return said


def _error(answer: Answer) -> str | None:
    return str(answer.data.get("code", "failed")) if answer.outcome is Outcome.FAILED else None


def _tell(span: LiveSpan, answer: Answer, *, repeat: bool) -> None:
    span.tell(_outcome(answer, repeat=repeat))
    if (error := _error(answer)) is not None:
        span.fail(error)
