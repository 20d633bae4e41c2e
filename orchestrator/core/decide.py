"""What a saga does: the table of its rules, as a function from values to a value.

    decide(saga, state, message, now) -> Decision(state, commands, events)

No clock, no I/O, no randomness, no `async`: what can be decided without them is decided here, so that every history
can be explored (tests/exploration). It never raises: whatever goes wrong in a definition's functions becomes part of
the saga. Read it from the top; `turn.py` has the words that the rules are made of, `timers.py` the times.

    running ──▶ completed                      every step done
       └─────▶ compensating ──▶ compensated    every step that may have run is undone, newest first
    any of the two in the middle ──▶ stuck ──▶ back, by a late success or an operator
"""

from datetime import datetime, timedelta
from typing import assert_never

from orchestrator.core import operator, timers
from orchestrator.core.conclude import (
    conclude,
    postpone,
    refuse,
    republish,
    resend,
    unchanged,
)
from orchestrator.core.moves import (
    CANCELLED,
    advance,
    attempt_failed,
    compensate,
    get_stuck,
    merge_reply,
    undo_in_flight,
)
from orchestrator.core.state import (
    AbortRequested,
    CancelRequested,
    Decision,
    Fault,
    Message,
    Pending,
    Replied,
    RetryRequested,
    SagaState,
    SkipRequested,
    Status,
    StepState,
    StepStatus,
    Transition,
    Woken,
)
from orchestrator.core.turn import Turn
from sagas import Saga
from sagas.messages import Json, Kind, Outcome, ReplyMessage
from sagas.values import replace


def begin(saga: Saga, saga_id: str, data: Json, now: datetime, *, request: str, traceparent: str | None) -> Decision:
    """The first revision of a saga with the given data, and its first command."""
    state = SagaState(
        id=saga_id,
        saga=saga.name,
        version=saga.version,
        fingerprint=saga.fingerprint,
        status=Status.RUNNING,
        revision=0,
        data=data,
        steps=tuple(StepState(step.name) for step in saga.steps),
        created_at=now,
        updated_at=now,
        last=Transition(0, now, (), Status.RUNNING),
        deadline_at=now + timedelta(seconds=saga.timeout_s) if saga.timeout_s else None,
        traceparent=traceparent,
        request=request,
    )
    try:
        return conclude(advance(_started(saga, state, now), 0))
    except Exception as error:  # noqa: BLE001 - a definition's functions may raise anything; nothing has happened yet
        fault = _internal(error, saga.steps[0].name)
        return conclude(compensate(_started(saga, state, now).failing(fault), newest=-1))


def _started(saga: Saga, state: SagaState, now: datetime) -> Turn:
    turn = Turn.of(saga, state, now).noting("started")
    turn.patch = state.data
    return turn


def decide(saga: Saga, state: SagaState, message: Message, now: datetime) -> Decision:
    """What follows for the saga `state` from `message`, at time `now`."""
    try:
        return _decide(Turn.of(saga, state, now), message)
    except Exception as error:  # noqa: BLE001 - a definition's functions may raise anything; a saga must end all the same
        return _internal_fault(saga, state, message, error, now)


def _decide(turn: Turn, message: Message) -> Decision:
    match message:
        case Replied(reply):
            return _replied(turn, reply)
        case Woken():
            return _woken(turn, message)
        case CancelRequested(reason):
            return _cancel(turn, reason)
        case RetryRequested() | SkipRequested() | AbortRequested():
            if turn.status is not Status.STUCK:
                return refuse(turn.before, f"not-stuck: the saga is {turn.status}; only a stuck one waits for this")
            return operator.act(turn, message)
        case _:
            assert_never(message)


# -- replies -----------------------------------------------------------------------------------------------------


def _replied(turn: Turn, reply: ReplyMessage) -> Decision:
    pending = turn.before.pending_for(reply.command_id)
    if pending is None:
        return unchanged(turn.before)  # Late or repeated: settled before.
    turn.concerning(pending, by_reply=True)
    match reply.outcome:
        case Outcome.SUCCEEDED:
            return conclude(_succeeded(turn, pending, reply))
        case Outcome.REJECTED:
            return _rejected(turn, pending, reply)
        case Outcome.FAILED:
            return _failed(turn, pending, reply)
        case _:
            assert_never(reply.outcome)


def _succeeded(turn: Turn, pending: Pending, reply: ReplyMessage) -> Turn:
    """Accepted whatever its attempt, also during a backoff and while stuck: a slow participant still gets through."""
    match pending.kind:
        case Kind.ACTION:
            turn = merge_reply(turn, reply.data)
            turn = turn.settled().step(turn.index, StepStatus.SUCCEEDED, error=None).noting("step-succeeded")
            return advance(turn, turn.index + 1)
        case Kind.COMPENSATION:
            turn = turn.settled().step(turn.index, StepStatus.COMPENSATED, error=None).noting("step-compensated")
            return compensate(turn, turn.index - 1)
        case Kind.REVOKE:  # It had not happened, and now it never will.
            if turn.skip is not None:
                return operator.revoked(turn, happened=False)
            turn = turn.settled().step(turn.index, StepStatus.COMPENSATED).noting("step-compensated")
            return compensate(_undone_as_wished(turn), turn.index - 1)
        case _:
            assert_never(pending.kind)


def _rejected(turn: Turn, pending: Pending, reply: ReplyMessage) -> Decision:
    fault = _fault(reply, "rejected")
    match pending.kind:
        case Kind.ACTION:  # The business said no: final, never retried.
            turn = turn.settled().step(turn.index, StepStatus.REJECTED, error=fault)
            turn = turn.failing(replace(fault, step=pending.step)).noting("step-rejected", fault=fault)
            past_pivot = turn.index > turn.saga.pivot
            return conclude(get_stuck(turn) if past_pivot else compensate(turn, turn.index - 1))
        case Kind.COMPENSATION:
            return _undo_rejected(turn, pending, fault)
        case Kind.REVOKE:
            return conclude(_had_happened(turn, reply))
        case _:
            assert_never(pending.kind)


def _undo_rejected(turn: Turn, pending: Pending, fault: Fault) -> Decision:
    """A recorded rejection: a further try needs a new id, so it is remembered also while stuck, where none is made."""
    if turn.status is not Status.STUCK:
        return conclude(attempt_failed(turn, pending, fault, rejected=True))
    if pending.rejected:
        return unchanged(turn.before)
    return conclude(turn.waiting(replace(pending, rejected=True)).noting("step-failed", fault=fault))


def _had_happened(turn: Turn, reply: ReplyMessage) -> Turn:
    """The answer to a revoke that came too late: the action's stored reply."""
    if turn.skip is not None:
        return operator.revoked(turn, happened=True)
    at_pivot = turn.index == turn.saga.pivot
    turn = merge_reply(turn, reply.data) if at_pivot else turn
    turn = turn.settled().step(turn.index, StepStatus.SUCCEEDED, error=None).noting("step-succeeded")
    if at_pivot:
        return advance(turn, turn.index + 1)  # The point of no return has been passed: a cancel came too late.
    return compensate(_undone_as_wished(turn), turn.index - 1)


def _undone_as_wished(turn: Turn) -> Turn:
    """A client's cancel is told only when a revoke has shown that it did not come too late."""
    cancelled = turn.failure is not None and turn.failure.code == CANCELLED
    return turn.noting("cancelled") if cancelled else turn


def _failed(turn: Turn, pending: Pending, reply: ReplyMessage) -> Decision:
    if reply.attempt != pending.attempt or turn.status is Status.STUCK:
        return unchanged(turn.before)  # Only the newest attempt counts.
    fault = _fault(reply, "failed")
    if fault.code == CANCELLED:
        fault = replace(fault, code="failed")  # Only a client cancels.
    return conclude(attempt_failed(turn, pending, fault))


def _fault(reply: ReplyMessage, default: str) -> Fault:
    """The reply's `code` and `detail`, from a participant that may be anybody's."""
    code, detail = reply.data.get("code"), reply.data.get("detail")
    return Fault(_text(code, 100) if code else default, _text(detail, 1000) if detail else "")


def _text(value: object, max_chars: int) -> str:
    """Bounded, and storable: Python's strings may hold lone surrogates, MongoDB's may not."""
    return str(value)[:max_chars].encode(errors="replace").decode()


# -- timers ------------------------------------------------------------------------------------------------------


def _woken(turn: Turn, woken: Woken) -> Decision:
    state, now = turn.before, turn.now
    if state.status.ended:
        return republish(state)  # An end that no reply caused keeps its wake-up until its events are out.
    overdue = state.deadline_at is not None and now >= state.deadline_at
    if overdue and state.status is Status.RUNNING and not turn.passed_pivot and not turn.revoking:
        return conclude(_turn_round(turn, Fault("deadline", "the saga's own deadline has passed")))
    for pending in state.pending:
        if state.status is not Status.STUCK and timers.silence_counts(pending, woken, now):
            return conclude(_silent(turn.concerning(pending), pending))
    return resend(turn, woken)


def _silent(turn: Turn, pending: Pending) -> Turn:
    timeout_s = turn.terms(turn.index, pending.kind).timeout_s
    return attempt_failed(turn, pending, Fault("timeout", f"no reply within {timeout_s:g} s"), silent=True)


def _turn_round(turn: Turn, fault: Fault) -> Turn:
    return undo_in_flight(turn.concerning(turn.pending[0]), fault)


# -- a client's wish -----------------------------------------------------------------------------------------------


def _cancel(turn: Turn, reason: str) -> Decision:
    state = turn.before
    if state.status is Status.COMPENSATING:
        return unchanged(state)  # It is being undone already.
    if state.status is not Status.RUNNING:
        return refuse(state, f"not-running: the saga is {state.status}")
    if turn.passed_pivot:
        return refuse(state, "pivot-passed: the point of no return has been passed; the saga goes on to its end")
    if state.skip is not None:
        return refuse(state, "skipping: an operator has the step counted as done; cancel when that is settled")
    if turn.revoking:
        return unchanged(state)  # The revoke is finding out already whether it can be undone.
    return conclude(_turn_round(turn, Fault(CANCELLED, reason)))


# -- what must not happen --------------------------------------------------------------------------------------------


def _internal(error: Exception, step: str | None) -> Fault:
    return Fault("internal", _text(f"{type(error).__name__}: {error}", 1000), step)


def _internal_fault(saga: Saga, state: SagaState, message: Message, error: Exception, now: datetime) -> Decision:
    """A reply cannot be merged, a command cannot be built, or a rule is broken.

    Before the pivot the saga compensates, the step in flight included. After it, and where compensating is what
    failed, it is stuck with its command pending: a corrected definition resumes it.
    """
    refused = refuse(state, f"internal: {_internal(error, None).detail}")
    if not state.pending:
        return refused
    if state.status is Status.STUCK:
        return postpone(state, now) if isinstance(message, Woken) else refused

    def afresh() -> Turn:
        return Turn.of(saga, state, now).concerning(state.pending[0], by_reply=isinstance(message, Replied))

    fault, turn = _internal(error, state.pending[0].step), afresh()
    if state.status is Status.RUNNING and not _past_pivot(turn, message) and not turn.revoking:
        try:
            return conclude(undo_in_flight(turn, fault))
        except Exception as worse:  # noqa: BLE001 - compensating is what fails: a person must look
            fault = _internal(worse, fault.step)
    return conclude(get_stuck(afresh().noting(fault=fault)))


def _past_pivot(turn: Turn, message: Message) -> bool:
    """Also where the pivot step's success is what could not be applied."""
    succeeded = isinstance(message, Replied) and message.reply.outcome is Outcome.SUCCEEDED
    return turn.passed_pivot or (succeeded and turn.index == turn.saga.pivot)
