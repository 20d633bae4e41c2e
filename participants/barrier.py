"""The barrier: what a participant does with one command, given what its inbox already holds. Pure.

One action and its compensation may come repeated, late, in the wrong order and at the same time. The barrier's
three duties make that harmless: a *repeat* gets the stored reply, a *null compensation* (its action never took
effect) does nothing but leaves a tombstone, and an action that meets its tombstone is refused. The tombstone is the
action's own inbox row: whoever runs at the same time as the other inserts the same `_id`, so one of them must start
over and then sees what the other did. A tombstone under an id of its own would let both commit.

This module has no I/O, no clock and no randomness, and its values are hashable, so that every history can be
explored on it. It must stay so. `attempt` is never looked at.
"""

from dataclasses import field
from datetime import datetime, timedelta

from sagas.messages import CommandMessage, Json, Kind, Outcome
from sagas.values import dataclass, replace

CLOCK_MARGIN = timedelta(days=1)  #: between "rows may be gone" and the expiry: clocks differ, MongoDB deletes late

COMPENSATED = "compensated"  #: refusal of an action whose compensation came first
REVOKED = "revoked"  #: refusal of a command that was revoked before it ran, or was known to have run
EXPIRED = "expired"  #: too old to tell whether it was done: its row may have expired
OUTCOME_UNKNOWN = "outcome-unknown"  #: the action's effect outside may or may not have happened


@dataclass(frozen=True, slots=True)
class Answer:
    """What is replied to one command."""

    outcome: Outcome
    data: Json = field(hash=False)

    @classmethod
    def no(cls, outcome: Outcome, code: str, detail: str = "") -> "Answer":
        """An answer other than `succeeded`."""
        return cls(outcome, {"code": code, "detail": detail})


@dataclass(frozen=True, slots=True)
class Row:
    """One inbox row: a command that this participant has settled, or (`outcome` None) announced to somebody outside.

    A failed command has no row: nothing happened, and the next attempt starts afresh.
    """

    id: str  #: the command's id
    saga_id: str
    step: str
    kind: Kind
    type: str  #: of the command; on a tombstone that of the command which left it
    outcome: Outcome | None  #: `succeeded`, `rejected`; None while an effect outside has no known outcome
    command: Json = field(hash=False)
    reply: Json = field(hash=False)
    at: datetime
    expire_at: datetime
    tombstone: bool = False  #: nothing was done under this id, and nothing ever will be
    undone_by: str | None = None  #: on an action: the compensation that took its effect back

    @property
    def took_effect(self) -> bool:
        """Whether the effect is there now."""
        return self.outcome is Outcome.SUCCEEDED and self.undone_by is None


@dataclass(frozen=True, slots=True)
class Repeat:
    """Seen before: the stored reply again, no second effect."""

    row: Row


@dataclass(frozen=True, slots=True)
class Refuse:
    """An action that meets its tombstone: it must never run."""

    row: Row


@dataclass(frozen=True, slots=True)
class Run:
    """A new action: call its handler. `intent` is its row where it was announced before, but never settled."""

    intent: Row | None = None


@dataclass(frozen=True, slots=True)
class Undo:
    """A compensation whose action took effect: call its handler with the action's stored command and reply."""

    action: Row
    intent: Row | None = None


@dataclass(frozen=True, slots=True)
class NullCompensation:
    """A compensation or revoke of an action without effect: `succeeded`, no handler.

    `tombstone` says that the action has no row yet, so that one must be inserted to keep it from running later.
    """

    tombstone: bool


@dataclass(frozen=True, slots=True)
class AlreadyTookEffect:
    """A revoke that came too late: `rejected`, with the action's stored reply."""

    action: Row


@dataclass(frozen=True, slots=True)
class InDoubt:
    """The action was announced to somebody outside and has no outcome yet: find it out first, then decide again."""

    action: Row


@dataclass(frozen=True, slots=True)
class GiveUp:
    """A revoke of a compensation that was announced and has no outcome: it is never called again, nor found out.

    Only an operator who skips it revokes a compensation, because it counts as done by hand. Asking whoever does it
    with the same key would do it now if no call had reached them, beside what was done by hand.
    """

    compensation: Row


@dataclass(frozen=True, slots=True)
class Expired:
    """No row, and so old that a row may have expired: change nothing."""


Verdict = Repeat | Refuse | Run | Undo | NullCompensation | AlreadyTookEffect | InDoubt | GiveUp | Expired


def decide(command: CommandMessage, own: Row | None, action: Row | None, now: datetime, expiry: timedelta) -> Verdict:
    """What to do with `command`, whose own row is `own` and whose undone action's row is `action`."""
    if own is not None and own.outcome is not None:
        return Refuse(own) if own.tombstone else Repeat(own)
    if command.kind is not Kind.ACTION:
        return _decide_undoing(command, own, action, now, expiry)
    if own is None and _too_old(command.first_time, now, expiry):
        return Expired()
    return Run(intent=own)


def _decide_undoing(
    command: CommandMessage, own: Row | None, action: Row | None, now: datetime, expiry: timedelta
) -> Verdict:
    if action is None:
        # Its action may have been done so long ago that the row is gone: a null compensation would then be a lie.
        too_old = _too_old(command.undoes_time or command.first_time, now, expiry)
        return Expired() if too_old else NullCompensation(tombstone=True)
    if action.outcome is None:
        return InDoubt(action) if action.kind is Kind.ACTION else GiveUp(action)
    if not action.took_effect:
        return NullCompensation(tombstone=False)
    return AlreadyTookEffect(action) if command.kind is Kind.REVOKE else Undo(action, intent=own)


def _too_old(first_time: datetime, now: datetime, expiry: timedelta) -> bool:
    return now - first_time > expiry - CLOCK_MARGIN


@dataclass(frozen=True, slots=True)
class Settled:
    """A command with its answer, and the rows that must be stored in the same transaction as its effect."""

    answer: Answer
    rows: tuple[Row, ...] = ()  #: new ones are inserted, never upserted; known ones replaced


def settle(
    command: CommandMessage,
    verdict: Repeat | Refuse | NullCompensation | AlreadyTookEffect | InDoubt | GiveUp | Expired,
    now: datetime,
    expiry: timedelta,
) -> Settled:
    """The answer where no handler is called."""
    match verdict:
        case Repeat(row) | Refuse(row):
            return Settled(answer_of(row))
        case NullCompensation(tombstone):
            own = _row(command, Answer(Outcome.SUCCEEDED, {}), now, expiry)
            return Settled(answer_of(own), (own, _tombstone(command, now, expiry)) if tombstone else (own,))
        case AlreadyTookEffect(action):
            own = _row(command, Answer(Outcome.REJECTED, action.reply), now, expiry)
            return Settled(answer_of(own), (own,))
        case InDoubt(action):
            return Settled(Answer.no(Outcome.FAILED, OUTCOME_UNKNOWN, f"{action.id} has no known outcome yet"))
        case GiveUp(compensation):
            own = _row(command, Answer(Outcome.SUCCEEDED, {}), now, expiry)
            detail = f"{command.id} came first, and whether the effect had happened was not known"
            refusal = Answer.no(Outcome.REJECTED, REVOKED, detail)
            return Settled(answer_of(own), (own, replace(compensation, outcome=refusal.outcome, reply=refusal.data)))
        case Expired():
            return Settled(Answer.no(Outcome.FAILED, EXPIRED, f"first sent {command.first_time.isoformat()}"))


def finish(command: CommandMessage, verdict: Run | Undo, answer: Answer, now: datetime, expiry: timedelta) -> Settled:
    """What is stored once the handler has answered.

    A failed command leaves no row. A rejected compensation neither: it must be tried again, not remembered.
    """
    if answer.outcome is Outcome.FAILED:
        return Settled(answer)
    own = _row(command, answer, now, expiry)
    if isinstance(verdict, Run):
        return Settled(answer, (own,))
    if answer.outcome is Outcome.REJECTED:
        return Settled(replace(answer, outcome=Outcome.FAILED))
    return Settled(answer, (own, replace(verdict.action, undone_by=command.id)))


def announce(command: CommandMessage, now: datetime, expiry: timedelta) -> Row:
    """The intent, stored before an effect outside the database is attempted."""
    return replace(_row(command, Answer(Outcome.SUCCEEDED, {}), now, expiry), outcome=None)


def answer_of(row: Row) -> Answer:
    """The stored reply."""
    assert row.outcome is not None, f"{row.id} has no outcome yet"
    return Answer(row.outcome, row.reply)


def ids_of(command: CommandMessage) -> tuple[str, ...]:
    """The rows that the decision needs."""
    return (command.id,) if command.undoes is None else (command.id, command.undoes)


def _row(command: CommandMessage, answer: Answer, now: datetime, expiry: timedelta) -> Row:
    return Row(
        id=command.id,
        saga_id=command.saga_id,
        step=command.step,
        kind=command.kind,
        type=command.type,
        outcome=answer.outcome,
        command=command.data,
        reply=answer.data,
        at=now,
        expire_at=now + expiry,
    )


def _tombstone(command: CommandMessage, now: datetime, expiry: timedelta) -> Row:
    assert command.undoes is not None
    code = REVOKED if command.kind is Kind.REVOKE else COMPENSATED
    refusal = Answer.no(Outcome.REJECTED, code, f"{command.id} came first")
    return replace(_row(command, refusal, now, expiry), id=command.undoes, kind=Kind.ACTION, command={}, tombstone=True)
