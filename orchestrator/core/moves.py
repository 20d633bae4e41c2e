"""The moves that the rules of `decide.py` are made of: begin a step, compensate, try again, give up, get stuck."""

from datetime import timedelta

from orchestrator.core.state import Fault, Pending, Status, StepStatus
from orchestrator.core.turn import Turn, command_id, generation_of
from sagas.messages import Json, Kind
from sagas.values import replace

CANCELLED = "cancelled"  #: the failure of a saga that its client cancelled
MAY_HAVE_RUN = frozenset({StepStatus.SUCCEEDED, StepStatus.UNKNOWN})


def merge_reply(turn: Turn, reply: Json) -> Turn:
    """Fill the saga's data from the reply of the step that this turn is about."""
    return turn.merging(turn.saga.steps[turn.index].merge_reply(turn.data, reply))


def advance(turn: Turn, index: int) -> Turn:
    """Begin the step at `index`; behind the last one the saga is completed."""
    turn = turn.failing(None)
    if index == len(turn.saga.steps):
        return turn.becoming(Status.COMPLETED).noting("completed")
    return begin(turn, index, turn.command(index, Kind.ACTION))


def begin(turn: Turn, index: int, action: Pending) -> Turn:
    """Send the step's action. Its id and time are kept: a compensation names them."""
    turn = turn.becoming(Status.RUNNING)
    begun = {"attempts": action.attempt, "action_id": action.command_id, "started_at": action.first_at}
    return turn.step(index, StepStatus.RUNNING, **begun).sending(action)


def compensate(turn: Turn, newest: int) -> Turn:
    """Undo the newest step from `newest` down that may have run; when none is left the saga is compensated."""
    for index in range(newest, -1, -1):
        if turn.steps[index].status in MAY_HAVE_RUN and turn.saga.steps[index].undo is not None:
            turn = turn.becoming(Status.COMPENSATING).step(index, StepStatus.COMPENSATING)
            return turn.sending(turn.command(index, Kind.COMPENSATION))
    return turn.becoming(Status.COMPENSATED).noting("compensated")


def undo_in_flight(turn: Turn, fault: Fault) -> Turn:
    """Turn round before the pivot: the action in flight counts as unknown, and is undone or revoked first.

    Silence is not a "no": the action may have run and only its reply been lost, so it is undone too; else its stock
    would stay reserved for ever. A step without an undo is revoked: its participant says whether it had happened.
    """
    turn = turn.failing(replace(fault, step=turn.about.step if turn.about else None))
    turn = turn.step(turn.index, StepStatus.UNKNOWN, error=fault).noting("step-unknown")
    if turn.saga.steps[turn.index].undo is None:
        return turn.sending(turn.command(turn.index, Kind.REVOKE))
    turn = turn.settled().noting("cancelled") if fault.code == CANCELLED else turn.settled()
    return compensate(turn, turn.index)


def attempt_failed(turn: Turn, pending: Pending, fault: Fault, *, silent: bool = False, rejected: bool = False) -> Turn:
    """One attempt is used up: the next one after a backoff, or no more of them.

    Up to the pivot the silence before it was pause enough: a client waits for that saga.
    """
    turn = turn.step(turn.index, turn.steps[turn.index].status, error=fault).noting("step-failed", fault=fault)
    if pending.budget is None or pending.attempt < pending.budget:
        at_once = silent and pending.kind is Kind.ACTION and turn.index <= turn.saga.pivot
        return turn.sending(next_attempt(turn, replace(pending, rejected=rejected), at_once=at_once))
    if pending.kind is Kind.ACTION:
        return undo_in_flight(turn, fault)
    return get_stuck(turn.waiting(replace(pending, rejected=rejected)))


def next_attempt(turn: Turn, pending: Pending, *, at_once: bool) -> Pending:
    """The same command once more. Only a recorded rejection needs a new id: the old one would get the same answer."""
    terms = turn.terms(turn.index, pending.kind)
    delay_s = 0.0 if at_once else terms.retry.delay_s(pending.attempt, pending.command_id)
    sent_at = turn.now + timedelta(milliseconds=round(delay_s * 1000))
    again = replace(
        pending,
        attempt=pending.attempt + 1,
        sent_at=sent_at,
        deadline=sent_at + timedelta(seconds=terms.timeout_s),
        held=sent_at > turn.now,
        rejected=False,
    )
    if not pending.rejected:
        return again
    generation = generation_of(pending.command_id) + 1
    renewed = command_id(turn.before.id, pending.step, pending.kind, generation)
    return replace(again, command_id=renewed, first_at=sent_at)


def get_stuck(turn: Turn) -> Turn:
    """A person must look. What is pending stays pending, held for nothing: a late success resumes the saga."""
    for pending in turn.pending:
        turn = turn.waiting(replace(pending, held=False))
    if turn.failure is None and turn.fault is not None:
        turn = turn.failing(replace(turn.fault, step=turn.about.step if turn.about else None))
    return turn.becoming(Status.STUCK).noting("stuck")
