"""One trace per saga, told from facts: an `Observer` whose spans follow from what has been saved.

A span is told by whoever won the compare-and-set, so no other replica tells it too. Its id follows from the saga's or
the command's id and attempt, so nothing is stored for it and everybody can name it as a parent. No span is kept open:
the saga's own, like an attempt's, is told when it has ended. Attributes hold names, ids and codes, never words.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from adapters.tracing.context import TraceContext, derived, of_attempt, of_saga, parse
from adapters.tracing.messages import REPLIES, about, operation
from adapters.tracing.port import BEGUN_HERE, Attribute, Finished, SpanKind, Tracer
from orchestrator.core.state import (
    AbortRequested,
    CancelRequested,
    Decision,
    Pending,
    Replied,
    RetryRequested,
    SagaState,
    SkipRequested,
    Status,
    Woken,
)
from orchestrator.observer import Applied, Unobserved
from sagas.messages import Kind

_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
_MICROSECOND = timedelta(microseconds=1)
_REQUESTS = {CancelRequested: "cancel", RetryRequested: "retry", SkipRequested: "skip", AbortRequested: "abort"}
_PREFIXES = {Kind.ACTION: "", Kind.COMPENSATION: "undo ", Kind.REVOKE: "revoke "}
_WENT_WRONG = frozenset({"failed", "timeout", "unknown", "internal"})


class SagaSpans(Unobserved):
    """Tells a saga's start, each attempt of its commands, what moved it, and its end."""

    def __init__(self, tracer: Tracer, replies: str) -> None:
        """`replies` is the name of the reply stream."""
        self._tracer = tracer
        self._replies = replies

    def accepted(self, begun: Sequence[Decision], repeated: int) -> None:
        for decision in begun:
            state = decision.state
            context = _sampled(state)
            if context is not None:
                self._tracer.emit(_start(state, context, self._tracer.now_ns()))
                self._tell(_end(state, context))

    def applied(self, done: Sequence[Applied], *, conflicts: int, unknown: int) -> None:
        for each in done:
            context = _sampled(each.before)
            if context is not None:
                self._tell(self._cause(each, context))
                self._tell(_attempts(each, context))
                if not each.before.status.ended:
                    self._tell(_end(each.decision.state, context))

    def _tell(self, spans: Iterator[Finished]) -> None:
        for span in spans:
            self._tracer.emit(span)

    def _cause(self, each: Applied, context: TraceContext) -> Iterator[Finished]:
        """What moved the saga: a reply, a timer or somebody's request."""
        match each.message:
            case Replied():
                yield self._reply(each, each.message, context)
            case Woken():
                if each.decision.transition is not None or each.decision.commands:
                    yield self._moved("timer", each, context)
            case _:
                yield self._moved(_REQUESTS[type(each.message)], each, context)

    def _reply(self, each: Applied, replied: Replied, context: TraceContext) -> Finished:
        reply, given = replied.reply, parse(replied.reply.traceparent)
        ours = given is not None and given.trace_id == context.trace_id
        parent = given if given is not None and ours else _awaiting(each.before, reply.command_id, context)
        said = operation("process", self._replies, f"{reply.command_id}/reply/{reply.attempt or 1}", each.before.id)
        said["saga.outcome"] = reply.outcome.value
        links = (given,) if given is not None and not ours else ()
        return self._moved(
            f"process {REPLIES}", each, parent._replace(sampled=True), SpanKind.CONSUMER, said, links=links
        )

    def _moved(
        self,
        name: str,
        each: Applied,
        parent: TraceContext,
        kind: SpanKind = SpanKind.INTERNAL,
        said: dict[str, Attribute] | None = None,
        links: tuple[TraceContext, ...] = (),
    ) -> Finished:
        now, transition = self._tracer.now_ns(), each.decision.transition
        said = {**_identity(each.before), **(said or {}), **_effect(each)}
        if kind is SpanKind.INTERNAL:
            parent = parent.at(of_saga(each.before.id))
            around = self._tracer.current()
            links = () if around is None else (around,)
        stuck = each.before.status is not Status.STUCK and each.decision.state.status is Status.STUCK
        return Finished(
            name=name,
            kind=kind,
            parent=parent,
            begin_ns=min(_ns(transition.at), now) if transition else now,
            end_ns=now,
            attributes=said,
            links=links,
            error="stuck" if stuck else None,
        )


def _awaiting(state: SagaState, command_id: str, context: TraceContext) -> TraceContext:
    """The parent of a reply that says nothing of its command's sending."""
    pending = state.pending_for(command_id)
    return context.at(of_saga(state.id) if pending is None else of_attempt(command_id, pending.attempt))


def _sampled(state: SagaState) -> TraceContext | None:
    context = parse(state.traceparent)
    return context if context is not None and context.sampled else None


def _identity(state: SagaState) -> dict[str, Attribute]:
    return {"saga.id": state.id, "saga.name": state.saga, "saga.version": state.version}


def _effect(each: Applied) -> dict[str, Attribute]:
    """What came of it."""
    decision = each.decision
    if decision.refused is not None:
        return {"saga.refused": decision.refused.partition(":")[0]}
    said: dict[str, Attribute] = {"saga.status": decision.state.status.value}
    if decision.transition is not None:
        said |= {"saga.revision": decision.transition.revision, "saga.events": list(decision.transition.events)}
    elif decision.commands:
        said["saga.sent"] = [f"{command.step}/{command.kind}" for command in decision.commands]
    else:
        said["saga.effect"] = "none"
    return said


def _start(state: SagaState, context: TraceContext, now_ns: int) -> Finished:
    """The parent of all else. It is told at once, so that a saga in flight can be looked at."""
    own = of_saga(state.id)
    return Finished(
        name=f"start {state.saga}",
        parent=context.at(BEGUN_HERE) if context.span_id == own else context,
        span_id=own,
        begin_ns=_ns(state.created_at),
        end_ns=now_ns,
        attributes=_identity(state),
    )


def _end(state: SagaState, context: TraceContext) -> Iterator[Finished]:
    """The whole saga, once it has ended."""
    if not state.status.ended or state.ended_at is None:
        return
    said = {**_identity(state), "saga.status": state.status.value}
    if state.failure is not None:
        said |= {"saga.failure.step": state.failure.step or "", "saga.failure.code": state.failure.code}
    yield Finished(
        name=f"saga {state.saga}",
        parent=context.at(of_saga(state.id)),
        span_id=derived("end", state.id),
        begin_ns=_ns(state.created_at),
        end_ns=_ns(state.ended_at),
        attributes=said,
    )


def _attempts(each: Applied, context: TraceContext) -> Iterator[Finished]:
    """The attempts that ended with this transition.

    A saga that gets stuck ends its attempt, whatever may still come: a late answer to it is a span of its own. So does
    one that sends a revoke while it is stuck, because somebody aborted it.
    """
    before, state = each.before, each.decision.state
    if each.decision.transition is None:
        return
    was_stuck, is_stuck = before.status is Status.STUCK, state.status is Status.STUCK
    for pending in before.pending:
        over = not _awaits(state, pending)
        if over and was_stuck:
            if isinstance(each.message, Replied) and state.pending_for(pending.command_id) is None:
                yield _attempt(each, pending, context, derived("late", pending.command_id, pending.attempt), late=True)
        elif over or (is_stuck and not was_stuck):
            yield _attempt(each, pending, context, of_attempt(pending.command_id, pending.attempt))
    for pending in state.pending:
        if was_stuck and is_stuck and not _awaits(before, pending):
            yield _attempt(each, pending, context, of_attempt(pending.command_id, pending.attempt))


def _awaits(state: SagaState, attempt: Pending) -> bool:
    pending = state.pending_for(attempt.command_id)
    return pending is not None and pending.attempt == attempt.attempt


def _attempt(each: Applied, pending: Pending, context: TraceContext, span_id: int, *, late: bool = False) -> Finished:
    transition = each.decision.transition
    assert transition is not None, "an attempt ends with a transition"
    outcome, end_ns = _outcome(each), _ns(transition.at)
    said = _identity(each.before) | about(pending.step, pending.kind, pending.attempt) | {"saga.outcome": outcome}
    if transition.code is not None and transition.step == pending.step:
        said["saga.code"] = transition.code
    if late:
        said["saga.late"] = True
    return Finished(
        name=f"{_PREFIXES[pending.kind]}{pending.step}",
        parent=context.at(of_saga(each.before.id)),
        span_id=span_id,
        begin_ns=min(_ns(pending.sent_at), end_ns),  # One that was held for a backoff may never have been sent.
        end_ns=end_ns,
        attributes=said,
        error=outcome if outcome in _WENT_WRONG else None,
    )


def _outcome(each: Applied) -> str:
    """How an attempt ended."""
    if isinstance(each.message, Replied):
        return each.message.reply.outcome.value
    events = each.decision.transition.events if each.decision.transition else ()
    if isinstance(each.message, Woken):
        return "timeout" if "step-failed" in events else "unknown" if "step-unknown" in events else "internal"
    return "unknown" if "step-unknown" in events else "by_hand"


def _ns(moment: datetime) -> int:
    return (moment - _EPOCH) // _MICROSECOND * 1_000
