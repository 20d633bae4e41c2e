"""From a `Turn` to a `Decision`: the new revision, its history entry, the messages to send, the time to wake up."""

from datetime import datetime, timedelta
from itertools import compress

from orchestrator.core import timers
from orchestrator.core.state import (
    Decision,
    Pending,
    SagaState,
    Status,
    Transition,
    Woken,
)
from orchestrator.core.turn import Turn
from sagas import Saga
from sagas.messages import CommandMessage, EventData, EventMessage, Json, Kind
from sagas.values import replace

#: what `saga.events` tells; other notes of a transition are for the history only
PUBLISHED = frozenset(
    {
        "started",
        "step-succeeded",
        "step-rejected",
        "step-failed",
        "step-unknown",
        "step-compensated",
        "completed",
        "compensated",
        "stuck",
        "cancelled",
    }
)


def conclude(turn: Turn) -> Decision:
    """The next revision, and what it sends. Raises `StepFault` where a command can't be built."""
    transition = _transition(turn)
    folded = _repeats(turn.before.last, transition)
    if folded:
        transition = replace(transition, count=turn.before.last.count + 1)
    state = replace(
        turn.before,
        status=turn.status,
        revision=transition.revision,
        data=turn.data,
        steps=turn.steps,
        updated_at=turn.now,
        last=transition,
        pending=turn.pending,
        failure=turn.failure,
        skip=turn.skip,
        ended_at=turn.ended_at,
        wake_at=_wake_at(turn),
    )
    commands = tuple(_command(turn.saga, state, pending, turn.now) for pending in turn.to_send)
    return Decision(state, commands, events_of(state), transition, folded)


def unchanged(state: SagaState) -> Decision:
    """Nothing follows."""
    return Decision(state)


def refuse(state: SagaState, reason: str) -> Decision:
    """A request is turned down; `reason` is `{code}: {words}`."""
    return Decision(state, refused=reason)


def republish(state: SagaState) -> Decision:
    """The events of the newest revision once more, and no further wake-up."""
    return Decision(replace(state, wake_at=None), events=events_of(state))


def postpone(state: SagaState, now: datetime) -> Decision:
    """Nothing to do at this wake-up: look again when the next timer is due."""
    return Decision(replace(state, wake_at=timers.due_at(state, now)))


def unsent(saga: Saga, state: SagaState, now: datetime) -> SagaState:
    """The state after a sending that its stream refused: held until the next try, and nothing is counted meanwhile."""
    turn, soon = Turn.of(saga, state, now), now + timers.RESEND_FIRST
    held = tuple(
        replace(pending, held=True, sent_at=soon, deadline=soon + timedelta(seconds=terms.timeout_s))
        for pending in state.pending
        for terms in [turn.terms(saga.index(pending.step), pending.kind)]
    )
    return replace(state, pending=held, wake_at=soon)


def repeat(saga: Saga, state: SagaState, now: datetime) -> Decision:
    """Everything that the newest revision caused, once more: its events, and the commands still pending."""
    out = [pending for pending in state.pending if not pending.held or pending.sent_at <= now]
    return Decision(state, tuple(_command(saga, state, pending, now) for pending in out), events_of(state))


def resend(turn: Turn, woken: Woken) -> Decision:
    """Send what is due, count nothing. A deadline that passed with nobody listening begins anew."""
    state, now = turn.before, turn.now
    is_due = [timers.is_to_send(pending, state, woken, now) for pending in state.pending]
    state = replace(state, pending=tuple(_looked_at(turn, pending, woken) for pending in state.pending))
    commands = tuple(_command(turn.saga, state, pending, now) for pending in compress(state.pending, is_due))
    events = events_of(state) if commands else ()
    return Decision(replace(state, wake_at=timers.due_at(state, now)), commands, events)


def _looked_at(turn: Turn, pending: Pending, woken: Woken) -> Pending:
    begins = pending.held and pending.sent_at <= turn.now
    overdue = turn.now >= pending.deadline and turn.status is not Status.STUCK
    if not begins and not overdue:
        return pending
    timeout_s = turn.terms(turn.saga.index(pending.step), pending.kind).timeout_s
    return timers.renewed(pending, woken, timeout_s, turn.now)


def events_of(state: SagaState) -> tuple[EventMessage, ...]:
    """The events of the newest revision; their ids are the same however often they are published."""
    last = state.last
    data = EventData(state.saga, state.version, last.revision, str(last.status), last.step, last.attempt, last.code)
    return tuple(
        EventMessage(f"{state.id}/{last.revision}/{n}", f"saga.{state.saga}.{event}", state.id, last.at, data)
        for n, event in enumerate(last.events)
        if event in PUBLISHED
    )


def _command(saga: Saga, state: SagaState, pending: Pending, now: datetime) -> CommandMessage:
    type_, data = content(saga, state.data, pending)
    return CommandMessage(
        id=pending.command_id,
        type=type_,
        participant=pending.participant,
        saga_id=state.id,
        data=data,
        attempt=pending.attempt,
        time=now,
        first_time=pending.first_at,
        expiry_time=pending.deadline,
        undoes=pending.undoes,
        undoes_time=pending.undoes_at,
        traceparent=state.traceparent,
    )


def content(saga: Saga, data: Json, pending: Pending) -> tuple[str, Json]:
    """The type and data of a pending command. Raises `StepFault` where the saga's data does not make one."""
    step = saga.steps[saga.index(pending.step)]
    if pending.kind is Kind.REVOKE:
        return f"{pending.participant}.revoke", {}
    if pending.kind is Kind.COMPENSATION and step.undo is not None:
        return step.undo.endpoint.type, step.build_undo(data)
    return step.endpoint.type, step.build_command(data)


def _transition(turn: Turn) -> Transition:
    about, fault = turn.about, turn.fault
    return Transition(
        revision=turn.before.revision + 1,
        at=turn.now,
        events=turn.events,
        status=turn.status,
        step=about.step if about else None,
        step_status=turn.steps[turn.index].status if about else None,
        kind=about.kind if about else None,
        attempt=about.attempt if about else None,
        code=fault.code if fault else None,
        detail=fault.detail if fault else None,
        data=turn.patch or None,
    )


def _repeats(last: Transition, new: Transition) -> bool:
    same = (last.events, last.step, last.kind, last.code) == (new.events, new.step, new.kind, new.code)
    return same and new.events == ("step-failed",)


def _wake_at(turn: Turn) -> datetime | None:
    """Early is harmless, late is not: an earlier time that stands already is kept."""
    if turn.status.ended:
        return None if turn.by_reply else turn.now + timers.RESEND_FIRST
    due, before = timers.due_at(turn, turn.now), turn.before.wake_at
    if due is None or before is None:
        return due
    return min(due, before)
