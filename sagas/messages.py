"""What travels between the orchestrator and its participants, as plain values.

Nothing here knows Redis, MongoDB or a clock: `adapters/streams/envelope.py` turns these values into stream
fields and back (docs/wire-protocol.md), the core makes commands and reads replies, a participant does the reverse.
"""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

from sagas.values import dataclass

Json = Mapping[str, Any]  #: a JSON object as Python values; never mutated once it is in a message


class Kind(StrEnum):
    """What a command asks its participant to do."""

    ACTION = "action"  #: do the step
    COMPENSATION = "compensation"  #: undo the step
    REVOKE = "revoke"  #: make sure that another command never takes effect, or say that it has


class Outcome(StrEnum):
    """How a participant answered. Silence past the deadline is not an outcome."""

    SUCCEEDED = "succeeded"  #: done, now or by an earlier delivery
    REJECTED = "rejected"  #: the business said no: final, never retried
    FAILED = "failed"  #: a technical error: the engine tries again


@dataclass(frozen=True, slots=True)
class CommandMessage:
    """One sending of a command. `id` is equal across attempts, so that a participant recognises repeats."""

    id: str  #: `{saga id}/{step}/{kind}`, with `/2`, `/3` … behind it only where an operator stepped in
    type: str  #: `inventory.reserve-stock`
    participant: str  #: whose stream it goes to
    saga_id: str
    data: Json  #: the command's fields
    attempt: int  #: 1, 2, …; never part of a key
    time: datetime  #: of this sending
    first_time: datetime  #: of the first sending of this id
    expiry_time: datetime  #: the step's deadline; advisory, nothing is dropped for it
    undoes: str | None = None  #: on a compensation: the action's id; on a revoke: the id of the command it revokes
    undoes_time: datetime | None = None  #: first sending of that command
    reply_to: str = ""  #: the stream the reply goes to; "" where nobody waits for one
    traceparent: str | None = None  #: W3C trace context

    @property
    def kind(self) -> Kind:
        """The kind as the participant sees it: from `undoes` and the type alone."""
        if self.undoes is None:
            return Kind.ACTION
        return Kind.REVOKE if self.type.endswith(".revoke") else Kind.COMPENSATION

    @property
    def is_first_sending(self) -> bool:
        """Whether it is an action that has not been sent before, as far as the sender knows."""
        return self.undoes is None and self.attempt == 1 and self.time == self.first_time

    @property
    def step(self) -> str:
        """The step's name, the second part of the id; "" for an id of another shape."""
        parts = self.id.split("/")
        return parts[1] if len(parts) >= 3 else ""


@dataclass(frozen=True, slots=True)
class ReplyMessage:
    """A participant's answer to one command."""

    command_id: str  #: the command it answers (`causationid` on the wire)
    outcome: Outcome
    data: Json  #: the reply's fields, or `{"code": …, "detail": …}` where the outcome is not `succeeded`
    attempt: int | None = None  #: copied from the command; only `failed` needs it
    type: str = ""  #: `inventory.reserve-stock.succeeded`
    source: str = ""  #: `/participants/inventory`
    time: datetime | None = None
    traceparent: str | None = None

    @property
    def saga_id(self) -> str:
        """The saga the command belongs to, the first part of its id."""
        return self.command_id.split("/", 1)[0]


class EventData(NamedTuple):
    """What an event says of its saga, the same for all that have come to this point: so it is made into JSON once."""

    saga: str
    version: int
    revision: int
    status: str  #: the saga's, after it
    step: str | None
    attempt: int | None
    code: str | None


@dataclass(frozen=True, slots=True)
class EventMessage:
    """What happened to a saga, for anyone: published on `saga.events`, at least once."""

    id: str  #: `{saga id}/{revision}/{n}`
    type: str  #: `saga.order.step-succeeded`
    saga_id: str
    time: datetime
    data: EventData
