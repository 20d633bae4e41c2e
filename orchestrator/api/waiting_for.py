"""What a saga waits for, in one sentence: for whom, since when, which attempt of how many, and what happens next.

A function of the saga alone, without a clock: the same revision reads the same.
"""

from datetime import datetime
from functools import lru_cache

from orchestrator.core.state import Pending, SagaState, Status
from orchestrator.core.timers import RESEND_STUCK
from sagas import Saga
from sagas.messages import Kind


def waiting_for(state: SagaState, saga: Saga | None) -> str | None:
    """The sentence; None where the saga has ended. `saga` is its definition, None where it isn't known here."""
    if state.status.ended:
        return None
    if saga is None:
        return (
            f"Waits for an orchestrator that knows version {state.version} of the saga '{state.saga}' as it was when "
            "this one started; this process leaves it alone."
        )
    if state.status is Status.STUCK:
        return _stuck(state, saga)
    return " ".join(_pending(state, saga, pending) for pending in state.pending)


def _pending(state: SagaState, saga: Saga, pending: Pending) -> str:
    if pending.needs_attention:
        return f"Needs attention: {_waiting(state, saga, pending)}"
    return _waiting(state, saga, pending)


def _waiting(state: SagaState, saga: Saga, pending: Pending) -> str:
    if pending.held:
        return f"{_backing_off(state, saga, pending)} {_otherwise(saga, pending)}"
    begun = f"Waits since {_time(pending.sent_at)} for {pending.participant} to {_asked(pending)}"
    return f"{begun} ({_attempt(pending)}). Without an answer by {_time(pending.deadline)}: {_next(saga, pending)}."


def _backing_off(state: SagaState, saga: Saga, pending: Pending) -> str:
    error = state.steps[saga.index(pending.step)].error
    reason = f" after '{error.code}'" if error else ""
    until = f"Waits{reason} until {_time(pending.sent_at)}"
    return f"{until} to ask {pending.participant} again to {_asked(pending)} ({_attempt(pending)})."


def _otherwise(saga: Saga, pending: Pending) -> str:
    return f"If that fails too: {_next(saga, pending)}."


def _asked(pending: Pending) -> str:
    match pending.kind:
        case Kind.ACTION:
            return f"do the step '{pending.step}'"
        case Kind.COMPENSATION:
            return f"undo the step '{pending.step}'"
        case Kind.REVOKE:
            return f"make sure that the step '{pending.step}' never happens"


def _attempt(pending: Pending) -> str:
    return f"attempt {pending.attempt} of {pending.budget or 'any number'}"


def _next(saga: Saga, pending: Pending) -> str:
    if pending.budget is None or pending.attempt < pending.budget:
        return "it is asked again"
    if pending.kind is not Kind.ACTION:
        return "the saga is stuck, and a person must look"
    if saga.steps[saga.index(pending.step)].undo is None:
        return "the step is revoked"
    return "the step and those before it are undone"


def _stuck(state: SagaState, saga: Saga) -> str:
    since = f"Waits since {_time(state.updated_at)} for a person"
    if not state.pending:
        step = state.failure.step if state.failure else None
        return f"{since}: the step '{step}' was rejected after the point of no return. Retry it, or skip it."
    minutes = int(RESEND_STUCK.total_seconds() // 60)
    return " ".join(
        f"{since}: {pending.participant} could not {_asked(pending)} ({_attempt(pending)}). It is still asked every "
        f"{minutes} minutes, and a success resumes the saga. {_ways_out(saga, pending)}"
        for pending in state.pending
    )


def _ways_out(saga: Saga, pending: Pending) -> str:
    before_pivot = pending.kind is not Kind.COMPENSATION and saga.index(pending.step) <= saga.pivot
    return "Retry it, skip it, or abort the saga." if before_pivot else "Retry it, or skip it."


@lru_cache(maxsize=1_024)  # The sagas of one batch have few times between them.
def _time(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")
