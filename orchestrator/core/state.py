"""A saga's state as one immutable value, and the inputs that may change it.

Nothing here does anything: `decide.py` holds the rules, `orchestrator/documents.py` writes the value to MongoDB.
Times are UTC, cut to the millisecond.
"""

from datetime import datetime
from enum import StrEnum

from sagas.messages import CommandMessage, EventMessage, Json, Kind, ReplyMessage
from sagas.values import dataclass

ATTENTION_AFTER = 10  #: attempts of a step after the pivot, which is retried for ever


class Status(StrEnum):
    """Where a saga is. `completed` and `compensated` are its ends; `stuck` is not."""

    RUNNING = "running"  #: moving forward
    COMPENSATING = "compensating"  #: undoing, newest step first
    COMPLETED = "completed"  #: every step done
    COMPENSATED = "compensated"  #: every step that may have run is undone
    STUCK = "stuck"  #: a person must look

    @property
    def ended(self) -> bool:
        """Whether nothing can change any more."""
        return self is Status.COMPLETED or self is Status.COMPENSATED


class StepStatus(StrEnum):
    """Where one step of a saga is."""

    PENDING = "pending"  #: not begun
    RUNNING = "running"  #: its action has been sent
    SUCCEEDED = "succeeded"  #: its action is done
    REJECTED = "rejected"  #: the business said no
    UNKNOWN = "unknown"  #: no answer within its attempts: it may have run
    COMPENSATING = "compensating"  #: its compensation has been sent
    COMPENSATED = "compensated"  #: undone, or made sure that it never happens
    SKIPPED = "skipped"  #: done by hand, says an operator


@dataclass(frozen=True, slots=True)
class Fault:
    """Why something went wrong: `code` for programs, `detail` for people; `step` where it is the saga's failure."""

    code: str
    detail: str = ""
    step: str | None = None


@dataclass(frozen=True, slots=True)
class StepState:
    """One step of one saga."""

    name: str
    status: StepStatus = StepStatus.PENDING
    attempts: int = 0  #: of the command sent last
    action_id: str | None = None  #: the newest action command's id: what a compensation `undoes`
    started_at: datetime | None = None  #: first sending of that action
    ended_at: datetime | None = None
    error: Fault | None = None


@dataclass(frozen=True, slots=True)
class Pending:
    """A command whose reply has not been applied yet. It is sent again from here, whatever the bus has lost."""

    command_id: str
    participant: str
    step: str
    kind: Kind
    attempt: int  #: the attempt in flight, or held until `sent_at`
    budget: int | None  #: the last attempt allowed; None: for ever
    first_at: datetime  #: first sending of this id
    sent_at: datetime  #: this attempt's sending; in the future during a backoff
    deadline: datetime  #: when silence counts as a failed attempt
    held: bool = False  #: in backoff, not sent yet: the timer does it, at `sent_at`
    rejected: bool = False  #: the newest reply was a recorded rejection: a further try needs a new id
    undoes: str | None = None  #: the command that this one undoes or revokes
    undoes_at: datetime | None = None  #: first sending of that command

    @property
    def needs_attention(self) -> bool:
        """Whether it is tried for ever, and has been for long."""
        return self.budget is None and self.attempt > ATTENTION_AFTER


@dataclass(frozen=True, slots=True)
class Skip:
    """An operator's decision to count a step as done by hand, kept while the step is being revoked."""

    reason: str
    data: Json


@dataclass(frozen=True, slots=True)
class Transition:
    """One change of a saga: an entry of its history, and the source of its events."""

    revision: int
    at: datetime
    events: tuple[str, ...]  #: what happened: `step-succeeded`, `completed`, …
    status: Status  #: the saga's, after it
    step: str | None = None
    step_status: StepStatus | None = None  #: the step's, after it
    kind: Kind | None = None
    attempt: int | None = None
    code: str | None = None
    detail: str | None = None
    data: Json | None = None  #: the fields of the saga's data that changed
    count: int = 1  #: equal retries folded into this entry


@dataclass(frozen=True, slots=True)
class SagaState:
    """One saga instance. `revision` counts its transitions and guards every write."""

    id: str
    saga: str
    version: int
    fingerprint: str
    status: Status
    revision: int
    data: Json
    steps: tuple[StepState, ...]
    created_at: datetime
    updated_at: datetime
    last: Transition  #: the newest history entry
    pending: tuple[Pending, ...] = ()
    failure: Fault | None = None  #: why it is not going to complete
    skip: Skip | None = None
    ended_at: datetime | None = None
    deadline_at: datetime | None = None  #: the saga's own deadline
    wake_at: datetime | None = None  #: when a timer is due; may be early, never late
    traceparent: str | None = None
    request: str = ""  #: digest of the client-sent fields, to recognise a repeated start

    def pending_for(self, command_id: str) -> Pending | None:
        """The pending command with that id, if its reply is still awaited."""
        return next((pending for pending in self.pending if pending.command_id == command_id), None)


@dataclass(frozen=True, slots=True)
class Replied:
    """A participant answered."""

    reply: ReplyMessage


@dataclass(frozen=True, slots=True)
class Woken:
    """A timer is due. Silence counts only if somebody listened: see `timers.py`."""

    watched_since: datetime  #: since when this engine has had a working bus, without a break
    queued: frozenset[str] = frozenset()  #: commands that still wait in their stream: a copy would only wait behind
    unheard: frozenset[str] = frozenset()  #: commands whose reply may wait in our own stream: no silence yet


@dataclass(frozen=True, slots=True)
class CancelRequested:
    """A client wants the saga undone."""

    reason: str = ""


@dataclass(frozen=True, slots=True)
class RetryRequested:
    """An operator gives a stuck saga a fresh budget."""

    reason: str = ""


@dataclass(frozen=True, slots=True)
class SkipRequested:
    """An operator has done the stuck step by hand; `data` are the reply's fields that later steps need."""

    reason: str
    data: Json


@dataclass(frozen=True, slots=True)
class AbortRequested:
    """An operator wants a stuck saga compensated."""

    reason: str = ""


Message = Replied | Woken | CancelRequested | RetryRequested | SkipRequested | AbortRequested


@dataclass(frozen=True, slots=True)
class Decision:
    """What follows from a message. `transition` is None where no new revision came of it."""

    state: SagaState
    commands: tuple[CommandMessage, ...] = ()
    events: tuple[EventMessage, ...] = ()
    transition: Transition | None = None
    folded: bool = False  #: the transition replaces the newest history entry instead of following it
    refused: str | None = None  #: why a request was turned down: `{code}: {words}`
