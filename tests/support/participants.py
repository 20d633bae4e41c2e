"""Commands, clocks and a small ledger for the tests of participants."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from adapters.bus import Ack, Delivery, Later
from adapters.streams.envelope import decode_reply, encode_command
from participants.context import BatchTransaction, Transaction
from participants.memory_inbox import MemoryInbox
from participants.participant import Participant, Service
from sagas.contracts import Command, Endpoint, Reject, Reply
from sagas.messages import CommandMessage, ReplyMessage

#: Far away: MongoDB removes expired rows by its own clock, and a row from the past would vanish in mid-test.
NOW = datetime(2126, 3, 1, 12, tzinfo=UTC)
REPLIES = "t.replies"


class Take(Command):
    """Take an amount out of a till."""

    till: str = "till"
    amount: int = 1


class Taken(Reply):
    """What was taken."""

    amount: int


class PutBack(Command):
    """Undo a `Take`."""


class PutBackDone(Reply):
    """It is back."""


TAKE = Endpoint("bank", Take, Taken)
PUT_BACK = Endpoint("bank", PutBack, PutBackDone)


class StillClock:
    """Stands still unless it is moved; waiting only lets others run."""

    def __init__(self, now: datetime = NOW) -> None:
        self.time = now

    def now(self) -> datetime:
        """The time it was set to."""
        return self.time

    async def sleep(self, seconds: float) -> None:
        """Let others run."""
        await asyncio.sleep(0)


def action(saga_id: str = "s1", step: str = "take", attempt: int = 1, **data: Any) -> CommandMessage:
    """An action for the bank."""
    return message(f"{saga_id}/{step}/action", TAKE.type, data, attempt=attempt)


def compensation(saga_id: str = "s1", step: str = "take", attempt: int = 1, number: str = "") -> CommandMessage:
    """Its compensation."""
    undoes = f"{saga_id}/{step}/action"
    return message(f"{saga_id}/{step}/compensation{number}", PUT_BACK.type, {}, attempt=attempt, undoes=undoes)


def revoke(saga_id: str = "s1", step: str = "take", participant: str = "bank") -> CommandMessage:
    """The generic command that makes sure that an action never happens."""
    return message(f"{saga_id}/{step}/revoke", f"{participant}.revoke", {}, undoes=f"{saga_id}/{step}/action")


def skip_of_compensation(saga_id: str = "s1", step: str = "take", attempt: int = 1) -> CommandMessage:
    """The revoke of a stuck compensation, which an operator counts as done by hand."""
    undoes = f"{saga_id}/{step}/compensation"
    return message(f"{saga_id}/{step}/revoke/2", "bank.revoke", {}, attempt=attempt, undoes=undoes)


def message(
    command_id: str,
    command_type: str,
    data: Mapping[str, Any],
    *,
    attempt: int = 1,
    undoes: str | None = None,
    first_time: datetime = NOW,
    reply_to: str = REPLIES,
    traceparent: str | None = None,
) -> CommandMessage:
    """Any command."""
    return CommandMessage(
        id=command_id,
        type=command_type,
        participant=command_type.split(".", 1)[0],
        saga_id=command_id.split("/", 1)[0],
        data=data,
        attempt=attempt,
        time=first_time,
        first_time=first_time,
        expiry_time=first_time + timedelta(minutes=1),
        undoes=undoes,
        undoes_time=first_time if undoes else None,
        reply_to=reply_to,
        traceparent=traceparent,
    )


def deliveries(commands: Sequence[CommandMessage]) -> list[Delivery]:
    """The commands as a consumer gets them."""
    return [
        Delivery("t.commands.bank", f"0-{number}", encode_command(command))
        for number, command in enumerate(commands, start=1)
    ]


async def replies_of(service: Service, *commands: CommandMessage) -> list[ReplyMessage]:
    """Deliver the commands as one batch; the reply to each."""
    given = await service.handle(deliveries(commands))
    assert len(given) == len(commands)
    replies = []
    for verdict in [await each.verdict if isinstance(each, Later) else each for each in given]:
        assert isinstance(verdict, Ack)
        (entry,) = verdict.publish
        assert entry.stream == REPLIES
        replies.append(decode_reply(entry.fields))
    return replies


class Bench:
    """A participant on a memory inbox."""

    def __init__(self, participant: Participant, *, seed: int = 0) -> None:
        self.clock = StillClock()
        self.inbox = MemoryInbox(self.clock, Random(seed))
        self.service = Service(participant, self.inbox, self.clock)

    async def deliver(self, *commands: CommandMessage) -> list[ReplyMessage]:
        """Deliver one batch."""
        return await replies_of(self.service, *commands)

    async def outcomes(self, *commands: CommandMessage) -> list[str]:
        """Deliver one batch; `succeeded`, or outcome and code."""
        return [outcome(reply) for reply in await self.deliver(*commands)]


def outcome(reply: ReplyMessage) -> str:
    """`succeeded`, or outcome and code: `rejected out-of-stock`."""
    return " ".join([reply.outcome.value, *([str(reply.data["code"])] if "code" in reply.data else [])])


class Bank:
    """The handlers of a till with money in it, as single and as batch handlers."""

    def __init__(self, calls: list[list[str]]) -> None:
        self._calls = calls  # the command ids of each call of a handler

    async def take(self, command: Take, tx: Transaction) -> Taken:
        self._calls.append([tx.command_id])
        tx.database["touched"] = tx.command_id
        taken = _take(command, tx)
        if isinstance(taken, Reject):
            raise taken
        return taken

    async def put_back(self, _command: PutBack, tx: Transaction) -> PutBackDone:
        self._calls.append([tx.command_id])
        return _put_back(tx.action.of(TAKE).command, tx)

    async def take_all(self, commands: Sequence[Take], tx: BatchTransaction) -> Sequence[Taken | Reject]:
        self._calls.append([context.command_id for context in tx.contexts])
        return [_take(command, tx) for command in commands]

    async def put_all_back(self, _commands: Sequence[PutBack], tx: BatchTransaction) -> Sequence[PutBackDone | Reject]:
        self._calls.append([context.command_id for context in tx.contexts])
        return [_put_back(context.action.of(TAKE).command, tx) for context in tx.contexts]


def _take(command: Take, tx: Transaction | BatchTransaction) -> Taken | Reject:
    if command.till == "broken":
        raise OSError("the till does not open\nTraceback: secret")
    left = tx.database.get(command.till, 100)
    if command.amount > left:
        return Reject("empty", command.till)
    tx.database[command.till] = left - command.amount
    return Taken(amount=command.amount)


def _put_back(taken: Take, tx: Transaction | BatchTransaction) -> PutBackDone:
    tx.database[taken.till] += taken.amount
    return PutBackDone()


def bank(calls: list[list[str]] | None = None, *, batch: bool = True) -> Participant:
    """The bank in memory; its transactions' `database` is a mapping."""
    participant = Participant("bank")
    handlers = Bank([] if calls is None else calls)
    if batch:
        participant.handles(TAKE, batch=True)(handlers.take_all)
        participant.handles(PUT_BACK, batch=True)(handlers.put_all_back)
    else:
        participant.handles(TAKE)(handlers.take)
        participant.handles(PUT_BACK)(handlers.put_back)
    return participant
