"""One decision in the making: the state so far, and what is to be recorded about it.

A `Turn` is immutable; each method returns the next one. The rules in `decide.py` are chains of these methods, and
`conclude.py` makes a `Decision` of the last one.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from orchestrator.core.state import Fault, Pending, SagaState, Status, StepStatus
from sagas import Retry, Saga
from sagas.messages import Json, Kind

_UNDER_WAY = (StepStatus.RUNNING, StepStatus.COMPENSATING, StepStatus.UNKNOWN)


class Terms(NamedTuple):
    """How one kind of command of one step is sent."""

    participant: str
    timeout_s: float
    retry: Retry


@dataclass(frozen=True, slots=True)
class Turn:
    """`saga` is the definition, `state` the saga as changed so far, `events` what happened in this turn."""

    saga: Saga
    state: SagaState
    now: datetime
    about: Pending | None = None  #: the command that this turn is about
    events: tuple[str, ...] = ()
    patch: Json = field(default_factory=dict)  #: fields of the data that changed
    fault: Fault | None = None  #: what went wrong
    to_send: tuple[Pending, ...] = ()
    by_reply: bool = False  #: whether a reply caused it: then its redelivery repeats what is lost

    @property
    def index(self) -> int:
        """The position of the step that this turn is about."""
        assert self.about is not None, "this turn is about a command"
        return self.saga.index(self.about.step)

    @property
    def passed_pivot(self) -> bool:
        """Whether the point of no return lies behind: then the saga never compensates."""
        if self.saga.pivot < 0:
            return True
        return self.state.steps[self.saga.pivot].status in (StepStatus.SUCCEEDED, StepStatus.SKIPPED)

    def noting(self, *events: str, fault: Fault | None = None) -> "Turn":
        """Record what happened."""
        return replace(self, events=(*self.events, *events), fault=fault or self.fault)

    def failing(self, fault: Fault | None) -> "Turn":
        """Say why the saga is not going to complete; None where it is, after all."""
        return replace(self, state=replace(self.state, failure=fault), fault=fault or self.fault)

    def becoming(self, status: Status) -> "Turn":
        """Change the saga's status."""
        return replace(self, state=replace(self.state, status=status, ended_at=self.now if status.ended else None))

    def merging(self, changed: Json) -> "Turn":
        """Change fields of the saga's data."""
        if not changed:
            return self
        state = replace(self.state, data={**self.state.data, **changed})
        return replace(self, state=state, patch={**self.patch, **changed})

    def step(self, index: int, status: StepStatus, **changes: Any) -> "Turn":
        """Change a step."""
        ended_at = None if status in _UNDER_WAY else self.now
        return replace(self, state=self.state.with_step(index, status=status, ended_at=ended_at, **changes))

    def settled(self) -> "Turn":
        """The command that this turn is about awaits no reply any more."""
        return replace(self, state=replace(self.state, pending=tuple(p for p in self.state.pending if p != self.about)))

    def waiting(self, pending: Pending) -> "Turn":
        """Await the reply to `pending`, instead of whatever its step awaited before."""
        others = tuple(other for other in self.state.pending if other.step != pending.step)
        state = replace(self.state, pending=(*others, pending))
        return replace(self, state=state.with_step(self.saga.index(pending.step), attempts=pending.attempt))

    def sending(self, pending: Pending) -> "Turn":
        """Await the reply to `pending` and send it now, unless it is held for a backoff."""
        turn = self.waiting(pending)
        return turn if pending.held else replace(turn, to_send=(*turn.to_send, pending))

    def terms(self, index: int, kind: Kind) -> Terms:
        """Participant, timeout and retry of a step's action, compensation or revoke."""
        step = self.saga.steps[index]
        if kind is Kind.COMPENSATION and step.undo is not None:
            return Terms(step.undo.endpoint.participant, step.undo.timeout_s, step.undo.retry)
        if kind is Kind.REVOKE:
            return Terms(step.endpoint.participant, REVOKE_TIMEOUT_S, REVOKE_RETRY)
        return Terms(step.endpoint.participant, step.timeout_s, step.retry)

    def command(self, index: int, kind: Kind, *, generation: int = 1, attempts_before: int = 0) -> Pending:
        """A new command of a step; its budget begins after the attempts made before under another id."""
        terms, attempt, step = self.terms(index, kind), attempts_before + 1, self.state.steps[index]
        for_ever = kind is Kind.ACTION and index > self.saga.pivot
        return Pending(
            command_id=command_id(self.state.id, step.name, kind, generation),
            participant=terms.participant,
            step=step.name,
            kind=kind,
            attempt=attempt,
            budget=None if for_ever else attempts_before + terms.retry.attempts,
            first_at=self.now,
            sent_at=self.now,
            deadline=self.now + timedelta(seconds=terms.timeout_s),
            undoes=None if kind is Kind.ACTION else step.action_id,
            undoes_at=None if kind is Kind.ACTION else step.started_at,
        )


REVOKE_TIMEOUT_S = 30.0
REVOKE_RETRY = Retry(attempts=20)


def command_id(saga_id: str, step: str, kind: Kind, generation: int = 1) -> str:
    """`{saga id}/{step}/{kind}`, equal across attempts; a new generation only after a recorded rejection.

    A revoke of the second generation undoes the step's compensation; the first one undoes its action.
    """
    return f"{saga_id}/{step}/{kind.value}" + (f"/{generation}" if generation > 1 else "")


def generation_of(command_id: str) -> int:
    """The generation that `command_id` put into an id."""
    parts = command_id.split("/")
    return int(parts[3]) if len(parts) > 3 else 1
