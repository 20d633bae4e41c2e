"""One decision in the making: what a saga is to be, and what is to be recorded about it.

A `Turn` lives within one call of `decide`, and nobody else sees it. Its methods change it and return it, so that the
rules in `decide.py` read as chains; `conclude.py` makes a `Decision` of it. What it began from stays as it was.
"""

from dataclasses import field
from datetime import datetime, timedelta
from typing import Any

from orchestrator.core.state import Fault, Pending, SagaState, Skip, Status, StepState, StepStatus
from sagas import Retry, Saga
from sagas.messages import Json, Kind
from sagas.steps import Terms
from sagas.values import dataclass, replace

_UNDER_WAY = (StepStatus.RUNNING, StepStatus.COMPENSATING, StepStatus.UNKNOWN)


@dataclass(slots=True)
class Turn:
    """`before` is the state that it began from; the fields named like the state's are what that is to become."""

    saga: Saga
    before: SagaState
    now: datetime
    status: Status
    data: Json
    steps: tuple[StepState, ...]
    pending: tuple[Pending, ...]
    failure: Fault | None
    skip: Skip | None
    ended_at: datetime | None
    about: Pending | None = None  #: the command that this turn is about
    index: int = field(init=False)  #: the position of that command's step
    by_reply: bool = False  #: whether a reply caused it: then its redelivery repeats what is lost
    events: tuple[str, ...] = ()  #: what happened
    patch: Json | None = None  #: fields of the data that changed
    fault: Fault | None = None  #: what went wrong
    to_send: tuple[Pending, ...] = ()

    @classmethod
    def of(cls, saga: Saga, state: SagaState, now: datetime) -> "Turn":
        """A turn in which nothing has happened yet."""
        return cls(
            saga=saga,
            before=state,
            now=now,
            status=state.status,
            data=state.data,
            steps=state.steps,
            pending=state.pending,
            failure=state.failure,
            skip=state.skip,
            ended_at=state.ended_at,
        )

    @property
    def deadline_at(self) -> datetime | None:
        """The saga's own deadline; no turn changes it."""
        return self.before.deadline_at

    @property
    def passed_pivot(self) -> bool:
        """Whether the point of no return lies behind: then the saga never compensates."""
        if self.saga.pivot < 0:
            return True
        return self.steps[self.saga.pivot].status in (StepStatus.SUCCEEDED, StepStatus.SKIPPED)

    @property
    def revoking(self) -> bool:
        """Whether it is being found out if a step without an undo has happened."""
        return any(pending.kind is Kind.REVOKE for pending in self.pending)

    def concerning(self, command: Pending, *, by_reply: bool = False) -> "Turn":
        """Say which command it is about, and whether its reply is the cause."""
        self.about, self.index, self.by_reply = command, self.saga.index(command.step), by_reply
        return self

    def noting(self, *events: str, fault: Fault | None = None) -> "Turn":
        """Record what happened."""
        self.events, self.fault = (*self.events, *events), fault or self.fault
        return self

    def failing(self, fault: Fault | None) -> "Turn":
        """Say why the saga is not going to complete; None where it is, after all."""
        self.failure, self.fault = fault, fault or self.fault
        return self

    def becoming(self, status: Status) -> "Turn":
        """Change the saga's status."""
        self.status, self.ended_at = status, self.now if status.ended else None
        return self

    def skipping(self, skip: Skip | None) -> "Turn":
        """Keep, or with None forget, that an operator has the step counted as done."""
        self.skip = skip
        return self

    def merging(self, changed: Json) -> "Turn":
        """Change fields of the saga's data."""
        if changed:
            self.data, self.patch = {**self.data, **changed}, {**(self.patch or {}), **changed}
        return self

    def step(self, index: int, status: StepStatus, **changes: Any) -> "Turn":
        """Change a step."""
        ended_at = None if status in _UNDER_WAY else self.now
        return self._put(index, replace(self.steps[index], status=status, ended_at=ended_at, **changes))

    def _put(self, index: int, step: StepState) -> "Turn":
        self.steps = (*self.steps[:index], step, *self.steps[index + 1 :])
        return self

    def settled(self) -> "Turn":
        """The command that this turn is about awaits no reply any more."""
        self.pending = tuple(pending for pending in self.pending if pending is not self.about)
        return self

    def waiting(self, pending: Pending) -> "Turn":
        """Await the reply to `pending`, instead of whatever its step awaited before."""
        self.pending = (*(other for other in self.pending if other.step != pending.step), pending)
        index = self.saga.index(pending.step)
        if self.steps[index].attempts == pending.attempt:
            return self
        return self._put(index, replace(self.steps[index], attempts=pending.attempt))

    def sending(self, pending: Pending) -> "Turn":
        """Await the reply to `pending` and send it now, unless it is held for a backoff."""
        if not pending.held:
            self.to_send = (*self.to_send, pending)
        return self.waiting(pending)

    def terms(self, index: int, kind: Kind) -> Terms:
        """How a step's action, compensation or revoke is sent."""
        step = self.saga.steps[index]
        if kind is Kind.REVOKE:
            return Terms(step.endpoint, REVOKE_TIMEOUT_S, REVOKE_RETRY)
        return step.undo if kind is Kind.COMPENSATION and step.undo is not None else step

    def command(self, index: int, kind: Kind, *, generation: int = 1, attempts_before: int = 0) -> Pending:
        """A new command of a step; its budget begins after the attempts made before under another id."""
        terms, attempt, step = self.terms(index, kind), attempts_before + 1, self.steps[index]
        for_ever = kind is Kind.ACTION and index > self.saga.pivot
        return Pending(
            command_id=command_id(self.before.id, step.name, kind, generation),
            participant=terms.endpoint.participant,
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
    return f"{saga_id}/{step}/{kind}" + (f"/{generation}" if generation > 1 else "")


def generation_of(command_id: str) -> int:
    """The generation that `command_id` put into an id."""
    parts = command_id.split("/")
    return int(parts[3]) if len(parts) > 3 else 1
