"""Planted defects: the protocol with one rule replaced, as tests of the tests. Each is a mistake that others have made.

A defect wraps the real functions; nothing is patched.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from orchestrator.core import decide as core
from orchestrator.core.state import (
    CancelRequested,
    Decision,
    Message,
    Replied,
    SagaState,
    Status,
    StepStatus,
    Woken,
)
from participants import barrier
from participants.barrier import Answer, NullCompensation, Row, Run, Settled, Undo, Verdict
from sagas import Saga
from sagas.messages import CommandMessage, Kind, Outcome, ReplyMessage
from support.world import Protocol, Rows


@dataclass(frozen=True)
class Defect:
    """One mistake. `in_core` says whether it is the engine's, else it is a participant's."""

    name: str
    protocol: Protocol
    in_core: bool
    problem: str  #: part of what an exploration says about it
    notation: str = "uuu"  #: of a saga that shows it

    def __str__(self) -> str:
        return self.name


# -- participants ----------------------------------------------------------------------------------------------------


def _no_inbox(
    command: CommandMessage, verdict: Run | Undo, answer: Answer, now: datetime, expiry: timedelta
) -> Settled:
    settled = barrier.finish(command, verdict, answer, now, expiry)
    return replace(settled, rows=()) if isinstance(verdict, Run) else settled


def _forgetful_undo(
    command: CommandMessage, verdict: Run | Undo, answer: Answer, now: datetime, expiry: timedelta
) -> Settled:
    settled = barrier.finish(command, verdict, answer, now, expiry)
    return replace(settled, rows=()) if isinstance(verdict, Undo) else settled


def _no_tombstone(command: CommandMessage, verdict: Verdict, now: datetime, expiry: timedelta) -> Settled:
    settled = barrier.settle(command, verdict, now, expiry)  # type: ignore[arg-type]
    return replace(settled, rows=tuple(row for row in settled.rows if not row.tombstone))


def _tombstone_elsewhere(command: CommandMessage, verdict: Verdict, now: datetime, expiry: timedelta) -> Settled:
    settled = barrier.settle(command, verdict, now, expiry)  # type: ignore[arg-type]
    return replace(
        settled, rows=tuple(replace(row, id=f"{row.id}#tombstone") if row.tombstone else row for row in settled.rows)
    )


def _row_or_tombstone(rows: Rows, row_id: str) -> Row | None:
    return rows.get(row_id) or rows.get(f"{row_id}#tombstone")


def _always_undoing(
    command: CommandMessage, own: Row | None, action: Row | None, now: datetime, expiry: timedelta
) -> Verdict:
    verdict = barrier.decide(command, own, action, now, expiry)
    if isinstance(verdict, NullCompensation) and command.kind is Kind.COMPENSATION:
        return Undo(action or barrier.announce(command, now, expiry))
    return verdict


def _revoking_what_is_done(
    command: CommandMessage, own: Row | None, action: Row | None, now: datetime, expiry: timedelta
) -> Verdict:
    verdict = barrier.decide(command, own, action, now, expiry)
    return NullCompensation(tombstone=False) if isinstance(verdict, barrier.AlreadyTookEffect) else verdict


# -- the engine --------------------------------------------------------------------------------------------------------


def _silence_is_a_no(saga: Saga, state: SagaState, message: Message, now: datetime) -> Decision:
    decision = core.decide(saga, state, message, now)
    gave_up = decision.transition is not None and "step-unknown" in decision.transition.events
    if not gave_up or not isinstance(message, Woken):
        return decision
    no = ReplyMessage(state.pending[0].command_id, Outcome.REJECTED, {"code": "timeout"})
    return core.decide(saga, state, Replied(no), now)


def _cancel_is_a_no(saga: Saga, state: SagaState, message: Message, now: datetime) -> Decision:
    decision = core.decide(saga, state, message, now)
    if not isinstance(message, CancelRequested) or decision.transition is None:
        return decision
    no = ReplyMessage(state.pending[0].command_id, Outcome.REJECTED, {"code": "cancelled"})
    return core.decide(saga, state, Replied(no), now)


def _deaf_while_stuck(saga: Saga, state: SagaState, message: Message, now: datetime) -> Decision:
    late = isinstance(message, Replied) and message.reply.outcome is Outcome.SUCCEEDED
    return Decision(state) if late and state.status is Status.STUCK else core.decide(saga, state, message, now)


def _turning_forward_again(saga: Saga, state: SagaState, message: Message, now: datetime) -> Decision:
    if isinstance(message, Replied) and state.status is Status.COMPENSATING:
        for index, step in enumerate(state.steps):
            if (step.status, step.action_id) == (StepStatus.COMPENSATING, message.reply.command_id):
                awaited = replace(state.pending[0], command_id=message.reply.command_id, kind=Kind.ACTION)
                running = replace(state, status=Status.RUNNING, pending=(awaited,))
                return core.decide(saga, _with_status(running, index, StepStatus.RUNNING), message, now)
    return core.decide(saga, state, message, now)


def _new_id_for_each_attempt(saga: Saga, state: SagaState, message: Message, now: datetime) -> Decision:
    decision = core.decide(saga, state, message, now)
    before = {pending.command_id: pending.attempt for pending in state.pending}
    pendings = tuple(
        replace(pending, command_id=f"{pending.command_id}-again")
        if before.get(pending.command_id, pending.attempt) != pending.attempt
        else pending
        for pending in decision.state.pending
    )
    return replace(decision, state=replace(decision.state, pending=pendings))


def _forward_before_backward(saga: Saga, state: SagaState, message: Message, now: datetime) -> Decision:
    """Compensations oldest first: the order is that of the definition, not its reverse."""
    decision = core.decide(saga, state, message, now)
    after = decision.state
    if after.status is not Status.COMPENSATING or not after.pending or state.status is not Status.RUNNING:
        return decision
    done = [index for index, step in enumerate(after.steps) if step.status is StepStatus.SUCCEEDED]
    if not done or saga.steps[done[0]].undo is None:
        return decision
    first, step = done[0], after.steps[done[0]]
    index = saga.index(after.pending[0].step)
    pending = replace(
        after.pending[0],
        command_id=f"{after.id}/{step.name}/compensation",
        participant=saga.steps[first].endpoint.participant,
        step=step.name,
        undoes=step.action_id,
    )
    swapped = _with_status(replace(after, pending=(pending,)), first, StepStatus.COMPENSATING)
    return replace(decision, state=_with_status(swapped, index, StepStatus.UNKNOWN))


def _with_status(state: SagaState, index: int, status: StepStatus) -> SagaState:
    changed = replace(state.steps[index], status=status)
    return replace(state, steps=(*state.steps[:index], changed, *state.steps[index + 1 :]))


DEFECTS = (
    Defect("no inbox: a repeat runs again", Protocol(finish=_no_inbox), False, "twice"),
    Defect("a compensation leaves no row: its repeat runs again", Protocol(finish=_forgetful_undo), False, "twice"),
    Defect("no tombstone", Protocol(settle=_no_tombstone), False, "should be undone"),
    Defect(
        "the tombstone has an id of its own",
        Protocol(settle=_tombstone_elsewhere, row_of=_row_or_tombstone),
        False,
        "should be undone",
    ),
    Defect("a null compensation runs the handler", Protocol(judge=_always_undoing), False, "was undone but never done"),
    Defect(
        "a revoke of what is done says it never was",
        Protocol(judge=_revoking_what_is_done),
        False,
        "should be undone",
        "unu",
    ),
    Defect("silence is taken for a no", Protocol(decide=_silence_is_a_no), True, "should not be done"),
    Defect("a cancelled step is not undone", Protocol(decide=_cancel_is_a_no), True, "should not be done"),
    Defect("a stuck saga refuses a late success", Protocol(decide=_deaf_while_stuck), True, "no end can be reached"),
    Defect(
        "a late success turns a compensating saga forward again",
        Protocol(decide=_turning_forward_again),
        True,
        "should be done",
    ),
    Defect("each attempt has an id of its own", Protocol(decide=_new_id_for_each_attempt), True, "twice"),
    Defect("compensations go oldest first", Protocol(decide=_forward_before_backward), True, "with a step left over"),
)
