"""Participants that nobody has written yet: generated from a saga's endpoints, with a ledger of what they did.

Each action takes one from a balance of its step, and its compensation puts it back; each is a row of the ledger. So
whatever the saga is about, the checker can tell what was done, how often, and what is left of it.
"""

from collections.abc import Awaitable, Callable, Iterable, MutableMapping, Sequence
from itertools import count
from random import Random
from typing import Any

from chaos.samples import instance
from participants.context import BatchTransaction, Context, Transaction
from participants.participant import Participant
from sagas import Reject, Reply, Saga
from sagas.contracts import AnyEndpoint
from sagas.messages import Kind

OPENING = 1_000_000  #: what each step's balance begins with, unless a run says otherwise

Conduct = Callable[[Context], Awaitable[str | None]]  #: what befalls a handler; the code with which it says no, if any
Opening = Callable[[str], int]  #: what a step's balance begins with
Answer = Callable[[AnyEndpoint], Reply]  #: what a handler says where it does not say no

#: Takes one from the balance of each command's step, or puts it back, with a row of the ledger; in the transaction. For
#: each command the code with which it is refused, where the balance is used up; then nothing was written for it.
Effect = Callable[[Transaction | BatchTransaction, Sequence[Context]], Awaitable[Sequence[str | None]]]


def endpoints(sagas: Iterable[Saga]) -> dict[str, AnyEndpoint]:
    """Every endpoint that the sagas use, by message type."""
    steps = [step for saga in sagas for step in saga.steps]
    found = {step.endpoint.type: step.endpoint for step in steps}
    return found | {step.undo.endpoint.type: step.undo.endpoint for step in steps if step.undo is not None}


def in_memory(opening: Opening) -> Effect:
    """The effects in a database that is a mapping."""

    async def effect(tx: Transaction | BatchTransaction, contexts: Sequence[Context]) -> Sequence[str | None]:
        return [_write(tx.database, context, opening) for context in contexts]

    return effect


def stand_in(
    name: str, theirs: Iterable[AnyEndpoint], conduct: Conduct, effect: Effect, answer: Answer, *, batch: bool
) -> Participant:
    """The participant of that name. `batch`: its handlers take batches, as the shipped ones do."""
    participant = Participant(name)
    for endpoint in theirs:
        if batch:
            participant.handles(endpoint, batch=True)(_in_batches(endpoint, conduct, effect, answer))
        else:
            participant.handles(endpoint)(_alone(endpoint, conduct, effect, answer))
    return participant


def _alone(
    endpoint: AnyEndpoint, conduct: Conduct, effect: Effect, answer: Answer
) -> Callable[[Any, Transaction], Awaitable[Reply]]:
    async def handle(_command: Any, tx: Transaction) -> Reply:
        refusal = await conduct(tx)
        if refusal is None:
            (refusal,) = await effect(tx, [tx])
        if refusal is not None:
            raise Reject(refusal)
        return answer(endpoint)

    return handle


def _in_batches(
    endpoint: AnyEndpoint, conduct: Conduct, effect: Effect, answer: Answer
) -> Callable[[Sequence[Any], BatchTransaction], Awaitable[Sequence[Reply | Reject]]]:
    async def handle(_commands: Sequence[Any], tx: BatchTransaction) -> Sequence[Reply | Reject]:
        refusals = [await conduct(context) for context in tx.contexts]
        accepted = [context for context, refusal in zip(tx.contexts, refusals, strict=True) if refusal is None]
        effects = iter(await effect(tx, accepted))
        outcomes = [next(effects) if refusal is None else refusal for refusal in refusals]
        return [answer(endpoint) if refusal is None else Reject(refusal) for refusal in outcomes]

    return handle


def reply_to(endpoint: AnyEndpoint, rng: Random) -> Reply:
    """A reply that says something valid."""
    reply: Reply = instance(endpoint.reply, rng)
    return reply


_numbers = count()


def _write(database: MutableMapping[str, Any], context: Context, opening: Opening) -> str | None:
    """The effect of a command: a row of the ledger, and the balance. Refuses to take what is not there."""
    amount = -1 if context.kind is Kind.ACTION else 1
    key = f"balance/{context.step}"
    balance = database.get(key, opening(context.step)) + amount
    if balance < 0:
        return "sold-out"
    about = {"saga_id": context.saga_id, "step": context.step, "kind": context.kind.value}
    database[f"ledger/{next(_numbers)}"] = {**about, "key": context.step, "amount": amount}
    database[key] = balance
    return None
