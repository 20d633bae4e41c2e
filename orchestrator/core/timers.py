"""When a pending command is sent again, when silence counts, and when to look next.

Losing a message is not an attempt. A pending command is sent again 3 s after its sending, then 6, 12, … s later,
with the same attempt: the times follow from `sent_at` alone, so nothing is stored for them. Only the deadline counts,
and only if somebody listened all the while: an engine that was away, a bus that was down and a command that still
waits in its stream move the deadline instead.
"""

from datetime import datetime, timedelta
from typing import Protocol

from orchestrator.core.state import Pending, SagaState, Status, Woken
from sagas.values import replace

RESEND_FIRST = timedelta(seconds=3)
RESEND_MAX = timedelta(minutes=1)  #: the longest pause between two sendings of one attempt
RESEND_STUCK = timedelta(minutes=5)  #: a stuck saga's command: success still resumes it


def next_send(pending: Pending, status: Status, after: datetime) -> datetime:
    """The first time after `after` at which the command is to be sent (again)."""
    if pending.held and (status is not Status.STUCK or pending.sent_at > after):
        return pending.sent_at
    if status is Status.STUCK:
        periods = (after - pending.sent_at) // RESEND_STUCK + 1
        return pending.sent_at + max(periods, 1) * RESEND_STUCK
    gap = RESEND_FIRST
    due = pending.sent_at + gap
    while due <= after:
        gap = min(gap * 2, RESEND_MAX)
        skipped = max((after - due) // gap, 0) if gap == RESEND_MAX else 0
        due += gap * max(skipped, 1)
    return due


class Timed(Protocol):
    """What the next look at a saga depends on."""

    @property
    def status(self) -> Status: ...
    @property
    def pending(self) -> tuple[Pending, ...]: ...
    @property
    def deadline_at(self) -> datetime | None: ...


def due_at(state: Timed, now: datetime) -> datetime | None:
    """When the saga must be looked at next; None where no timer is needed."""
    times = []
    for pending in state.pending:
        times.append(next_send(pending, state.status, now))
        if state.status is not Status.STUCK:
            times.append(pending.deadline)
    if state.deadline_at is not None and state.status is Status.RUNNING and state.deadline_at > now:
        times.append(state.deadline_at)  # One that has passed is in `wake_at` already, or no longer matters.
    return min(times, default=None)


def send_is_due(pending: Pending, state: SagaState, now: datetime) -> bool:
    """Whether one of the command's sendings fell between the saga's wake-up time and now."""
    if state.wake_at is None or state.wake_at > now:
        return False
    return next_send(pending, state.status, state.wake_at - timedelta(milliseconds=1)) <= now


def silence_counts(pending: Pending, woken: Woken, now: datetime) -> bool:
    """Whether the deadline of a command that was sent has passed with this engine listening all the while."""
    listened = woken.watched_since <= pending.sent_at and pending.command_id not in woken.queued | woken.unheard
    return now >= pending.deadline and listened and not pending.held


def renewed(pending: Pending, woken: Woken, timeout_s: float, now: datetime) -> Pending:
    """The command with a deadline that lies ahead: it is sent only now, or the one that passed did not count."""
    full = now + timedelta(seconds=timeout_s)
    if is_new(pending, woken):
        return replace(pending, deadline=full, sent_at=now, held=False)
    if pending.command_id in woken.queued:
        return replace(pending, deadline=full)
    return replace(pending, deadline=min(full, now + RESEND_FIRST))  # Its reply may be the next one that we read.


def is_new(pending: Pending, woken: Woken) -> bool:
    """Whether this sending is the one that counts: never sent before, or sent while nobody listened."""
    unwatched = woken.watched_since > pending.sent_at and pending.command_id not in woken.queued
    return pending.held or unwatched


def is_to_send(pending: Pending, state: SagaState, woken: Woken, now: datetime) -> bool:
    """Whether the command goes out now: the first time after a backoff, or again because it may be lost."""
    if pending.held:
        return pending.sent_at <= now
    if pending.command_id in woken.queued:
        return False
    overdue = now >= pending.deadline and state.status is not Status.STUCK
    return (overdue and is_new(pending, woken)) or send_is_due(pending, state, now)
