"""Participants that nobody has written yet: generated from a saga's endpoints, with a ledger of what they did.

Each action takes one from a balance of its step, and its compensation puts it back; each is a row of the ledger. So
whatever the saga is about, the checker can tell what was done, how often, and what is left of it.
"""

from collections.abc import Awaitable, Callable, Iterable, MutableMapping, Sequence
from itertools import count
from random import Random
from typing import Any

from chaos.samples import example
from participants.context import BatchTransaction, Context, Transaction
from participants.participant import Participant
from sagas import Reject, Reply, Saga
from sagas.contracts import AnyEndpoint
from sagas.messages import Kind

OPENING = 1_000_000

Conduct = Callable[[Context], Awaitable[str | None]]  #: what befalls a handler; the code with which it says no, if any

#: Takes one from the balance of each command's step, or puts it back, with a row of the ledger; in the transaction.
Effect = Callable[[Transaction | BatchTransaction, Sequence[Context]], Awaitable[None]]


def endpoints(sagas: Iterable[Saga]) -> dict[str, AnyEndpoint]:
    """Every endpoint that the sagas use, by message type."""
    steps = [step for saga in sagas for step in saga.steps]
    found = {step.endpoint.type: step.endpoint for step in steps}
    return found | {step.undo.endpoint.type: step.undo.endpoint for step in steps if step.undo is not None}


async def in_memory(tx: Transaction | BatchTransaction, contexts: Sequence[Context]) -> None:
    """The effects in a database that is a mapping."""
    for context in contexts:
        write(tx.database, context)


def stand_in(
    name: str,
    theirs: Iterable[AnyEndpoint],
    conduct: Conduct,
    rng: Random,
    *,
    batch: bool,
    effect: Effect = in_memory,
) -> Participant:
    """The participant of that name. `batch`: its handlers take batches, as the shipped ones do."""
    participant = Participant(name)
    for endpoint in theirs:
        if batch:
            participant.handles(endpoint, batch=True)(_in_batches(endpoint, conduct, rng, effect))
        else:
            participant.handles(endpoint)(_alone(endpoint, conduct, rng, effect))
    return participant


def _alone(
    endpoint: AnyEndpoint, conduct: Conduct, rng: Random, effect: Effect
) -> Callable[[Any, Transaction], Awaitable[Reply]]:
    async def handle(_command: Any, tx: Transaction) -> Reply:
        refusal = await conduct(tx)
        if refusal is not None:
            raise Reject(refusal)
        await effect(tx, [tx])
        return _reply(endpoint, rng)

    return handle


def _in_batches(
    endpoint: AnyEndpoint, conduct: Conduct, rng: Random, effect: Effect
) -> Callable[[Sequence[Any], BatchTransaction], Awaitable[Sequence[Reply | Reject]]]:
    async def handle(_commands: Sequence[Any], tx: BatchTransaction) -> Sequence[Reply | Reject]:
        refusals = [await conduct(context) for context in tx.contexts]
        accepted = [context for context, refusal in zip(tx.contexts, refusals, strict=True) if refusal is None]
        await effect(tx, accepted)
        return [_reply(endpoint, rng) if refusal is None else Reject(refusal) for refusal in refusals]

    return handle


def _reply(endpoint: AnyEndpoint, rng: Random) -> Reply:
    reply: Reply = endpoint.reply.model_validate(example(endpoint.reply, rng))
    return reply


_numbers = count()


def write(database: MutableMapping[str, Any], context: Context) -> None:
    """The effect of a command: a row of the ledger, and the balance."""
    amount = -1 if context.kind is Kind.ACTION else 1
    row = {
        "saga_id": context.saga_id,
        "step": context.step,
        "kind": context.kind.value,
        "key": context.step,
        "amount": amount,
    }
    database[f"ledger/{next(_numbers)}"] = row
    balance = f"balance/{context.step}"
    database[balance] = database.get(balance, OPENING) + amount
