"""What a handler gets beside its command. Values only, apart from the open transaction that they carry."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Generic

from participants.barrier import Row
from sagas.contracts import C, Endpoint, R
from sagas.messages import CommandMessage, Json, Kind
from sagas.values import dataclass


@dataclass(frozen=True, slots=True)
class Done(Generic[C, R]):
    """An action that took effect, as its endpoint's types."""

    command: C
    reply: R


@dataclass(frozen=True, slots=True)
class StoredAction:
    """The action that a compensation undoes, as the inbox has it."""

    command_id: str
    type: str  #: `inventory.reserve-stock`
    command: Json
    reply: Json

    @classmethod
    def of_row(cls, row: Row) -> "StoredAction":
        """The action in its inbox row."""
        return cls(row.id, row.type, row.command, row.reply)

    def of(self, endpoint: Endpoint[C, R]) -> Done[C, R]:
        """The stored command and reply, typed. Raises `ValueError` for another endpoint than the action's."""
        if endpoint.type != self.type:
            raise ValueError(f"{self.command_id} was {self.type}, not {endpoint.type}")
        return Done(endpoint.command.model_validate(self.command), endpoint.reply.model_validate(self.reply))


@dataclass(frozen=True, slots=True)
class Context:
    """One command's circumstances."""

    command_id: str
    saga_id: str
    step: str
    kind: Kind
    attempt: int  #: for logs; never make it part of a key
    now: datetime
    undone: StoredAction | None = None

    @classmethod
    def of(cls, command: CommandMessage, now: datetime, undone: StoredAction | None = None) -> "Context":
        """The context of one command."""
        return cls(command.id, command.saga_id, command.step, command.kind, command.attempt, now, undone)

    @property
    def idempotency_key(self) -> str:
        """Equal whenever this command is run again: pass it on to whoever does the effect outside."""
        return self.command_id

    @property
    def action(self) -> StoredAction:
        """In a compensation: the action that took effect. `tx.action.of(RESERVE_STOCK).reply` is typed."""
        if self.undone is None:
            raise LookupError(f"{self.command_id} is no compensation: there is no action to undo")
        return self.undone


@dataclass(frozen=True, slots=True, kw_only=True)
class Transaction(Context):
    """What the handler of a single command gets. Whatever it writes with `session` is kept or undone as one."""

    session: Any  #: the driver's; pass it with every call on `database`
    database: Any  #: the participant's own database


@dataclass(frozen=True, slots=True, kw_only=True)
class ExternalContext(Context):
    """What a handler with `external=True` gets. There is no transaction: it may be called again for the same command.

    So what it writes must be the same when it is written twice, `{"_id": context.idempotency_key}` for instance.
    """

    database: Any  #: the participant's own database


@dataclass(frozen=True, slots=True)
class BatchTransaction:
    """What a batch handler gets: one transaction for all commands, and each command's context in `contexts`."""

    session: Any
    database: Any
    now: datetime
    contexts: Sequence[Context]
