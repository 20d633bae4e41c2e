"""What a person may do with a stuck saga: retry it, count its step as done by hand, or have it compensated."""

from copy import copy
from typing import assert_never

from orchestrator.core.conclude import conclude, content, refuse
from orchestrator.core.moves import advance, begin, compensate, next_attempt, undo_in_flight
from orchestrator.core.state import (
    AbortRequested,
    Decision,
    Fault,
    Pending,
    RetryRequested,
    Skip,
    SkipRequested,
    Status,
    StepStatus,
)
from orchestrator.core.turn import Turn, generation_of
from sagas.by_hand import reply_by_hand
from sagas.errors import StepFault
from sagas.messages import Json, Kind
from sagas.storable import NotStorable
from sagas.values import replace


def act(turn: Turn, request: RetryRequested | SkipRequested | AbortRequested) -> Decision:
    """Apply a request to a stuck saga."""
    pending = turn.pending[0] if turn.pending else None
    if pending is not None:
        turn.concerning(pending)
    match request:
        case RetryRequested(reason):
            return conclude(_retry(turn.noting("retried", fault=Fault("retried", reason)), pending))
        case SkipRequested(reason, data):
            return _skip(turn, pending, Skip(reason, data))
        case AbortRequested(reason):
            return _abort(turn, pending, Fault("aborted", reason))
        case _:
            assert_never(request)


def _retry(turn: Turn, pending: Pending | None) -> Turn:
    """A fresh budget in the same direction. Attempt numbers go on, they never restart."""
    if pending is None:
        return _retry_rejected(turn)
    again = next_attempt(turn, pending, at_once=True)
    if pending.budget is not None:
        again = replace(again, budget=pending.attempt + turn.terms(turn.index, pending.kind).retry.attempts)
    if pending.kind is Kind.ACTION:
        turn = turn.failing(None)  # It may complete after all, and a client may cancel it again.
    return turn.becoming(_direction(turn)).sending(again)


def _direction(turn: Turn) -> Status:
    undoing = turn.steps[turn.index].status is StepStatus.COMPENSATING
    return Status.COMPENSATING if undoing else Status.RUNNING


def _retry_rejected(turn: Turn) -> Turn:
    """After the pivot a recorded rejection is final for its id: the action gets a new one."""
    index = _rejected_index(turn)
    step = turn.steps[index]
    generation = generation_of(step.action_id or "") + 1
    action = turn.command(index, Kind.ACTION, generation=generation, attempts_before=step.attempts)
    return begin(turn.failing(None).concerning(action), index, action)


def _rejected_index(turn: Turn) -> int:
    return next(index for index, step in enumerate(turn.steps) if step.status is StepStatus.REJECTED)


def _skip(turn: Turn, pending: Pending | None, skip: Skip) -> Decision:
    """Revoke first what may still run, unless it was rejected for good or that revoke itself is what got stuck."""
    insisted = turn.skip is not None and pending is not None and pending.kind is Kind.REVOKE
    if pending is None:
        turn.concerning(turn.command(_rejected_index(turn), Kind.ACTION))
    try:
        skip = replace(skip, data=_fitting(turn, skip.data))
    except (NotStorable, StepFault) as error:
        return refuse(turn.before, f"invalid-data: {error}")
    turn.skipping(skip)
    if pending is None or insisted:
        return conclude(skipped(turn))
    turn = turn.noting("skip-requested", fault=Fault("skip-requested", skip.reason))
    if pending.kind is Kind.REVOKE:
        return conclude(_retry(turn, pending))
    generation = 1 if pending.kind is Kind.ACTION else 2
    revoke = turn.command(turn.index, Kind.REVOKE, generation=generation)
    revoke = replace(revoke, undoes=pending.command_id, undoes_at=pending.first_at)
    return conclude(turn.becoming(_direction(turn)).sending(revoke))


def _fitting(turn: Turn, given: Json) -> Json:
    """The operator's data as the saga stores it. Raises where the saga could not go on with it."""
    if _direction(turn) is Status.COMPENSATING:
        return {}
    changed = reply_by_hand(turn.saga, turn.index, turn.data, given)
    after = advance(copy(turn).settled().merging(changed), turn.index + 1)
    for pending in after.pending:
        content(turn.saga, after.data, pending)
    return changed


def revoked(turn: Turn, *, happened: bool) -> Turn:
    """The answer to a revoke that a skip sent. What is so anyway, whatever the operator did, keeps its own status."""
    assert turn.about is not None, "the revoke that was answered"
    if _direction(turn) is not Status.COMPENSATING:
        return skipped(turn, StepStatus.SUCCEEDED if happened else StepStatus.SKIPPED)
    if turn.about.undoes == turn.steps[turn.index].action_id:
        return skipped(turn, StepStatus.SKIPPED if happened else StepStatus.COMPENSATED)
    if happened:
        return skipped(turn, StepStatus.COMPENSATED)
    # The compensation will never run. The action may still be on its way, and would then stand for ever.
    return turn.becoming(Status.COMPENSATING).noting("revoked").sending(turn.command(turn.index, Kind.REVOKE))


def skipped(turn: Turn, done: StepStatus = StepStatus.SKIPPED) -> Turn:
    """The step counts as done by hand, and the saga goes on in its direction."""
    skip = turn.skip
    assert skip is not None, "an operator asked for it"
    undoing = _direction(turn) is Status.COMPENSATING
    turn = turn.skipping(None).settled().noting("skipped", fault=Fault("skipped", skip.reason))
    turn = turn.step(turn.index, done)
    if undoing:
        return compensate(turn, turn.index - 1)
    return advance(turn.merging(skip.data), turn.index + 1)


def _abort(turn: Turn, pending: Pending | None, fault: Fault) -> Decision:
    """Undo the step in flight, then those before it. One without an undo is revoked: it must not happen later."""
    if pending is None or turn.passed_pivot:
        return refuse(turn.before, "pivot-passed: the point of no return has been passed; retry or skip the step")
    if _direction(turn) is Status.COMPENSATING:
        return refuse(turn.before, "compensating: the saga is compensating already; retry or skip the compensation")
    turn = turn.skipping(None).noting("aborted", fault=fault)
    if pending.kind is Kind.REVOKE and turn.saga.steps[turn.index].undo is None:
        return conclude(_retry(turn.failing(replace(fault, step=pending.step)), pending))
    return conclude(undo_in_flight(turn, fault))
