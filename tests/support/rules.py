"""What must hold of every decision, whatever was said to the core: rules for property tests.

Each rule is an independent statement about one step from `before` to `after`; none of them uses the core's own rules.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from orchestrator.core.state import (
    AbortRequested,
    CancelRequested,
    Decision,
    Message,
    Pending,
    Replied,
    RetryRequested,
    SagaState,
    SkipRequested,
    Status,
    StepStatus,
    Woken,
)
from sagas import Saga, check_storable
from sagas.messages import Kind, Outcome

STATUS_MOVES = {
    Status.RUNNING: {Status.RUNNING, Status.COMPENSATING, Status.COMPLETED, Status.COMPENSATED, Status.STUCK},
    Status.COMPENSATING: {Status.COMPENSATING, Status.COMPENSATED, Status.STUCK},
    Status.STUCK: set(Status),
    Status.COMPLETED: {Status.COMPLETED},
    Status.COMPENSATED: {Status.COMPENSATED},
}
_BEGUN = {StepStatus.SUCCEEDED, StepStatus.REJECTED, StepStatus.UNKNOWN, StepStatus.COMPENSATING, StepStatus.SKIPPED}
_UNDOING = {StepStatus.COMPENSATING, StepStatus.COMPENSATED}
STEP_MOVES = {
    StepStatus.PENDING: {StepStatus.RUNNING},
    StepStatus.RUNNING: _BEGUN,
    StepStatus.SUCCEEDED: _UNDOING,
    StepStatus.REJECTED: {StepStatus.RUNNING, StepStatus.SKIPPED},
    StepStatus.UNKNOWN: {*_UNDOING, StepStatus.SUCCEEDED, StepStatus.SKIPPED},
    StepStatus.COMPENSATING: {StepStatus.COMPENSATED, StepStatus.SKIPPED},
    StepStatus.COMPENSATED: set[StepStatus](),
    StepStatus.SKIPPED: set[StepStatus](),
}
STANDS = {StepStatus.SUCCEEDED, StepStatus.UNKNOWN, StepStatus.RUNNING, StepStatus.COMPENSATING}


@dataclass(frozen=True)
class Occasion:
    """One decision, and everything that it was made from."""

    saga: Saga
    before: SagaState
    message: Message
    now: datetime
    decision: Decision

    @property
    def after(self) -> SagaState:
        return self.decision.state

    @property
    def passed(self) -> bool:
        pivot = self.saga.pivot
        return pivot < 0 or self.before.steps[pivot].status in (StepStatus.SUCCEEDED, StepStatus.SKIPPED)

    @property
    def new(self) -> tuple[Pending, ...]:
        known = {pending.command_id for pending in self.before.pending}
        return tuple(pending for pending in self.after.pending if pending.command_id not in known)


def check(occasion: Occasion) -> None:
    """Raise `AssertionError`, named after the rule, for a decision that must not be."""
    for rule in RULES:
        assert rule(occasion), f"{rule.__name__}: {occasion}"


def an_ended_saga_never_changes(o: Occasion) -> bool:
    return not o.before.status.ended or (
        o.decision.transition is None
        and not o.decision.commands
        and replace(o.after, wake_at=o.before.wake_at) == o.before
    )


def a_revision_is_one_transition(o: Occasion) -> bool:
    made = o.decision.transition
    if made is None:
        same = replace(o.after, wake_at=o.before.wake_at, pending=o.before.pending) == o.before
        ids = [pending.command_id for pending in o.after.pending] == [p.command_id for p in o.before.pending]
        return same and ids
    return o.after.revision == o.before.revision + 1 == made.revision and o.after.last == made


def a_refused_request_changes_nothing(o: Occasion) -> bool:
    return o.decision.refused is None or (o.after == o.before and not o.decision.commands)


def a_step_awaits_at_most_one_reply(o: Occasion) -> bool:
    steps = [pending.step for pending in o.after.pending]
    return len(steps) == len(set(steps))


def something_is_pending_until_the_end(o: Occasion) -> bool:
    if o.after.status.ended:
        return not o.after.pending
    return bool(o.after.pending) or o.after.status is Status.STUCK


def statuses_move_as_they_may(o: Occasion) -> bool:
    steps = zip(o.before.steps, o.after.steps, strict=True)
    moved = all(new.status is old.status or new.status in STEP_MOVES[old.status] for old, new in steps)
    asked = isinstance(o.message, Replied | RetryRequested | SkipRequested | AbortRequested)
    resumed = o.before.status is Status.STUCK and o.after.status is not Status.STUCK
    return moved and o.after.status in STATUS_MOVES[o.before.status] and (asked or not resumed)


def past_the_pivot_nothing_is_undone(o: Occasion) -> bool:
    return not o.passed or o.before.status.ended or o.after.status not in (Status.COMPENSATING, Status.COMPENSATED)


def compensations_go_newest_first_and_only_where_something_may_have_happened(o: Occasion) -> bool:
    for pending in o.new:
        index = o.saga.index(pending.step)
        later = zip(o.saga.steps[index + 1 :], o.after.steps[index + 1 :], strict=True)
        standing = [step.name for step, state in later if step.undo is not None and state.status in STANDS]
        may_have_run = o.before.steps[index].status in STANDS
        if pending.kind is Kind.COMPENSATION and (standing or not may_have_run):
            return False
    return True


def an_end_leaves_nothing_over(o: Occasion) -> bool:
    steps = list(zip(o.saga.steps, o.after.steps, strict=True))
    if o.after.status is Status.COMPLETED:
        return all(state.status in (StepStatus.SUCCEEDED, StepStatus.SKIPPED) for _, state in steps)
    if o.after.status is Status.COMPENSATED:
        return not any(
            state.status in STANDS
            for index, (step, state) in enumerate(steps)
            if step.undo is not None or index == o.saga.pivot
        )
    return True


def silence_and_a_cancel_are_never_a_no(o: Occasion) -> bool:
    """A step is never given up without asking its participant to undo it or to say whether it happened."""
    if not isinstance(o.message, Woken | CancelRequested):
        return True
    given_up = [p.step for p in o.before.pending if p.kind is Kind.ACTION]
    still = {pending.step for pending in o.after.pending}
    return all(step in still for step in given_up)


def an_id_changes_only_after_a_recorded_rejection(o: Occasion) -> bool:
    for pending in o.new:
        parts = pending.command_id.split("/")
        if parts[:3] != [o.after.id, pending.step, pending.kind.value]:
            return False
        rejected = isinstance(o.message, Replied) and o.message.reply.outcome is Outcome.REJECTED
        if (
            len(parts) > 3
            and pending.kind is not Kind.REVOKE
            and not (rejected or isinstance(o.message, RetryRequested))
        ):
            return False
    return True


def attempts_go_on_and_never_restart(o: Occasion) -> bool:
    before = {f"{p.step}/{p.kind}": p.attempt for p in o.before.pending if p.kind is not Kind.REVOKE}
    return all(p.attempt >= before.get(f"{p.step}/{p.kind}", 1) for p in o.after.pending)


def a_success_of_a_pending_command_always_counts(o: Occasion) -> bool:
    if not isinstance(o.message, Replied) or o.message.reply.outcome is not Outcome.SUCCEEDED:
        return True
    pending = o.before.pending_for(o.message.reply.command_id)
    return (o.decision.transition is not None or o.decision.refused is not None) == (pending is not None)


def only_the_newest_attempts_failure_counts(o: Occasion) -> bool:
    if not isinstance(o.message, Replied) or o.message.reply.outcome is not Outcome.FAILED:
        return True
    pending = o.before.pending_for(o.message.reply.command_id)
    newest = pending is not None and pending.attempt == o.message.reply.attempt
    return newest or o.decision == Decision(o.before)


def silence_counts_only_where_somebody_listened(o: Occasion) -> bool:
    if not isinstance(o.message, Woken) or o.decision.transition is None:
        return True
    own = o.before.deadline_at is not None and o.now >= o.before.deadline_at
    unheard = all(
        p.command_id in o.message.queued or o.message.watched_since > p.sent_at or o.now < p.deadline
        for p in o.before.pending
    )
    return own or not unheard or "stuck" in o.decision.transition.events


def what_is_sent_is_pending_and_unless_a_backoff_holds_it_what_begins_is_sent(o: Occasion) -> bool:
    pending = {p.command_id: p for p in o.after.pending}
    sent = {command.id for command in o.decision.commands}
    unsent = [p for p in o.new if not (p.held and p.sent_at > o.now) and p.command_id not in sent]
    return all(c.id in pending and c.attempt == pending[c.id].attempt for c in o.decision.commands) and not unsent


def a_command_says_until_when_it_is_awaited(o: Occasion) -> bool:
    deadlines = {p.command_id: p.deadline for p in o.after.pending}
    return all(command.expiry_time == deadlines[command.id] for command in o.decision.commands)


def a_look_is_not_followed_by_another_at_once(o: Occasion) -> bool:
    """A saga that is woken for ever would take its turn from all others."""
    looked = isinstance(o.message, Woken) and o.decision.transition is None
    return not looked or o.after.wake_at is None or o.after.wake_at > o.now


def a_saga_wakes_up_early_enough(o: Occasion) -> bool:
    after, wake_at = o.after, o.after.wake_at
    if after.status.ended or not after.pending or not (o.decision.transition or isinstance(o.message, Woken)):
        return True
    if wake_at is None:
        return False
    stuck = after.status is Status.STUCK
    pause = timedelta(minutes=5) if stuck else timedelta(minutes=1)
    dues = [max(o.now, p.sent_at) + pause for p in after.pending]
    dues += [p.sent_at for p in after.pending if p.held and p.sent_at > o.now]
    if not stuck:
        dues += [p.deadline for p in after.pending]
    if after.status is Status.RUNNING and after.deadline_at is not None and after.deadline_at > o.now:
        dues.append(after.deadline_at)
    return wake_at <= max(min(dues), o.now)


def an_end_keeps_its_wake_up_unless_a_reply_caused_it(o: Occasion) -> bool:
    if not o.after.status.ended or o.decision.transition is None:
        return True
    return (o.after.wake_at is None) == isinstance(o.message, Replied)


def everything_can_be_stored(o: Occasion) -> bool:
    faults = [step.error for step in o.after.steps] + [o.after.failure]
    check_storable(dict(o.after.data))
    check_storable([text for fault in faults if fault for text in (fault.code, fault.detail)])
    check_storable([o.after.last.code, o.after.last.detail, dict(o.after.last.data or {})])
    for command in o.decision.commands:
        check_storable(dict(command.data))
    return True


def events_have_ids_of_their_own(o: Occasion) -> bool:
    ids = [event.id for event in o.decision.events]
    return len(ids) == len(set(ids)) and all(i.startswith(f"{o.after.id}/{o.after.last.revision}/") for i in ids)


RULES = (
    an_ended_saga_never_changes,
    a_revision_is_one_transition,
    a_refused_request_changes_nothing,
    a_step_awaits_at_most_one_reply,
    something_is_pending_until_the_end,
    statuses_move_as_they_may,
    past_the_pivot_nothing_is_undone,
    compensations_go_newest_first_and_only_where_something_may_have_happened,
    an_end_leaves_nothing_over,
    silence_and_a_cancel_are_never_a_no,
    an_id_changes_only_after_a_recorded_rejection,
    attempts_go_on_and_never_restart,
    a_success_of_a_pending_command_always_counts,
    only_the_newest_attempts_failure_counts,
    silence_counts_only_where_somebody_listened,
    what_is_sent_is_pending_and_unless_a_backoff_holds_it_what_begins_is_sent,
    a_command_says_until_when_it_is_awaited,
    a_look_is_not_followed_by_another_at_once,
    a_saga_wakes_up_early_enough,
    an_end_keeps_its_wake_up_unless_a_reply_caused_it,
    everything_can_be_stored,
    events_have_ids_of_their_own,
)
