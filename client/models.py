"""What the service answers with, typed: sagas, their history and their transitions.

Fields that a newer service may add are ignored here and kept in `to_json()`, which is what the service said.
"""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, Generic, Self

from pydantic import BaseModel, ConfigDict, ModelWrapValidatorHandler, PrivateAttr, model_validator
from typing_extensions import TypeVar

Json = dict[str, Any]

D = TypeVar("D", default=Json)  #: a saga's data: the definition's model where one was given, else a dict


class Status(StrEnum):
    """How far a saga is."""

    RUNNING = "running"  #: moving forward
    COMPENSATING = "compensating"  #: undoing what has been done
    COMPLETED = "completed"  #: every step is done
    COMPENSATED = "compensated"  #: every step that may have run is undone
    STUCK = "stuck"  #: a person must look

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen. `stuck` is not an end."""
        return self in (Status.COMPLETED, Status.COMPENSATED)


class StepStatus(StrEnum):
    """How far a step is."""

    PENDING = "pending"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    REJECTED = "rejected"
    UNKNOWN = "unknown"
    COMPENSATING = "compensating"
    COMPENSATED = "compensated"
    SKIPPED = "skipped"


class Shown(BaseModel):
    """A part of an answer."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    _sent: Json = PrivateAttr(default_factory=dict)

    @model_validator(mode="wrap")
    @classmethod
    def _keep(cls, value: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        made = handler(value)
        if isinstance(value, dict):
            made._sent = value  # noqa: SLF001 - its own
        return made

    def to_json(self) -> Json:
        """What the service said, word for word."""
        return self._sent


class StepError(Shown):
    """Why the newest attempt of a step did not succeed."""

    code: str
    detail: str


class Step(Shown):
    """One step of a saga."""

    name: str
    status: StepStatus
    attempts: int
    started_at: datetime | None
    ended_at: datetime | None
    error: StepError | None


class Failure(Shown):
    """Why a saga is not going to complete."""

    step: str | None
    code: str
    detail: str


class SagaInstance(Shown, Generic[D]):
    """One run of a saga."""

    id: str
    saga: str  #: the definition's name
    version: int
    status: Status
    revision: int
    data: D
    steps: tuple[Step, ...]
    failure: Failure | None
    waiting_for: str | None  #: what it waits for, in words; None when it has ended
    created_at: datetime
    updated_at: datetime
    ended_at: datetime | None

    @property
    def completed(self) -> bool:
        """Whether every step is done."""
        return self.status is Status.COMPLETED

    @property
    def settled(self) -> bool:
        """Whether nothing happens any more unless a person steps in: it has ended, or is stuck."""
        return self.status.ended or self.status is Status.STUCK


class Transition(Shown):
    """One change of a saga, as `watch` tells it while it happens."""

    saga_id: str
    saga: str
    version: int
    revision: int
    status: Status  #: the saga's, after it
    events: tuple[str, ...]  #: what happened, such as `step-succeeded`
    at: datetime
    step: str | None = None
    attempt: int | None = None
    code: str | None = None

    _position: str | None = PrivateAttr(default=None)

    @property
    def position(self) -> str | None:
        """Where it is in the stream it came from: `watch(after=…)` goes on behind it."""
        return self._position

    def at_position(self, position: str | None) -> Self:
        """The same, read at this place of a stream."""
        self._position = position
        return self


class HistoryEntry(Shown):
    """One change of a saga, as its history keeps it."""

    revision: int
    at: datetime
    events: tuple[str, ...]
    status: Status
    step: str | None
    step_status: StepStatus | None
    kind: str | None
    attempt: int | None
    code: str | None
    detail: str | None
    data: Mapping[str, Any] | None  #: the fields of the saga's data that changed
    count: int  #: how many equal retries this stands for


class StepThen(Shown):
    """A step as it was."""

    name: str
    status: StepStatus


class Then(Shown):
    """A saga as it was at an earlier revision."""

    revision: int
    at: datetime
    status: Status
    steps: tuple[StepThen, ...]
    data: Json


class History(Shown):
    """How a saga came to what it is, oldest first."""

    items: tuple[HistoryEntry, ...]
    truncated_before: int | None  #: the first revision that is still known, where older ones are not
    then: Then | None = None  #: the saga at the revision that was asked for
