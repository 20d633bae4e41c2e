"""Participants that nobody has written yet: generated from a saga's endpoints, with a ledger of what they did.

Each action takes one from a balance of its step, and its compensation puts it back; each is a row of the ledger. So
whatever the saga is about, the checker can tell what was done, how often, and what is left of it.
"""

from collections.abc import Awaitable, Callable, Collection, Iterable, MutableMapping, Sequence
from dataclasses import dataclass
from itertools import count
from random import Random
from typing import Any

from chaos.samples import instance
from participants.context import BatchTransaction, Context, ExternalContext, Transaction
from participants.participant import Participant
from sagas import Reject, Reply, Saga
from sagas.contracts import AnyEndpoint
from sagas.messages import Kind

OPENING = 1_000_000  #: what each step's balance begins with, unless a run says otherwise

Doing = Callable[[], Awaitable[str | None]]  #: what a handler does; the code with which that is refused, if it is
Conduct = Callable[[Context, Doing], Awaitable[str | None]]  #: what befalls a handler that does it; its code, likewise
Opening = Callable[[str], int]  #: what a step's balance begins with
Answer = Callable[[AnyEndpoint], Reply]  #: what a handler says where it does not say no

Circumstances = Transaction | BatchTransaction | ExternalContext
#: Takes one from the balance of each command's step, or puts it back, with a row of the ledger; in the transaction, or
#: where there is none, as somebody else's service does it that honours idempotency keys. For each command the code with
#: which it is refused, where the balance is used up; then nothing was written for it.
Effect = Callable[[Circumstances, Sequence[Context]], Awaitable[Sequence[str | None]]]


def endpoints(sagas: Iterable[Saga]) -> dict[str, AnyEndpoint]:
    """Every endpoint that the sagas use, by message type."""
    steps = [step for saga in sagas for step in saga.steps]
    found = {step.endpoint.type: step.endpoint for step in steps}
    return found | {step.undo.endpoint.type: step.undo.endpoint for step in steps if step.undo is not None}


def outside(saga: Saga, steps: Iterable[str]) -> frozenset[str]:
    """The message types of these steps, and of all that share one with them: an endpoint has one handler."""
    types: set[str] = set()
    named, size = set(steps), -1
    while size < len(types):
        size = len(types)
        for step in saga.steps:
            theirs = {step.endpoint.type} | ({step.undo.endpoint.type} if step.undo else set())
            if step.name in named or theirs & types:
                types |= theirs
    return frozenset(types)


def in_memory(opening: Opening) -> Effect:
    """The effects in a database that is a mapping."""

    async def effect(tx: Circumstances, contexts: Sequence[Context]) -> Sequence[str | None]:
        if isinstance(tx, ExternalContext):
            return [_write_once(tx, opening)]
        return [_write(tx.database, context, opening) for context in contexts]

    return effect


@dataclass(frozen=True, slots=True)
class Manner:
    """How handlers are called: in batches, as the shipped ones are, or one by one; those of some types `outside`."""

    batch: bool
    outside: Collection[str]  #: message types whose effects are outside the database


def stand_in(
    name: str, theirs: Iterable[AnyEndpoint], conduct: Conduct, effect: Effect, answer: Answer, manner: Manner
) -> Participant:
    """The participant of that name."""
    participant = Participant(name)
    for endpoint in theirs:
        if endpoint.type in manner.outside:
            participant.handles(endpoint, external=True)(_alone(endpoint, conduct, effect, answer))
        elif manner.batch:
            participant.handles(endpoint, batch=True)(_in_batches(endpoint, conduct, effect, answer))
        else:
            participant.handles(endpoint)(_alone(endpoint, conduct, effect, answer))
    return participant


def _alone(
    endpoint: AnyEndpoint, conduct: Conduct, effect: Effect, answer: Answer
) -> Callable[[Any, Any], Awaitable[Reply]]:
    async def handle(_command: Any, tx: Transaction | ExternalContext) -> Reply:
        async def doing() -> str | None:
            (refusal,) = await effect(tx, [tx])
            return refusal

        refusal = await conduct(tx, doing)
        if refusal is not None:
            raise Reject(refusal)
        return answer(endpoint)

    return handle


def _in_batches(
    endpoint: AnyEndpoint, conduct: Conduct, effect: Effect, answer: Answer
) -> Callable[[Sequence[Any], BatchTransaction], Awaitable[Sequence[Reply | Reject]]]:
    async def handle(_commands: Sequence[Any], tx: BatchTransaction) -> Sequence[Reply | Reject]:
        refusals = [await conduct(context, _nothing) for context in tx.contexts]
        accepted = [context for context, refusal in zip(tx.contexts, refusals, strict=True) if refusal is None]
        effects = iter(await effect(tx, accepted))
        outcomes = [next(effects) if refusal is None else refusal for refusal in refusals]
        return [answer(endpoint) if refusal is None else Reject(refusal) for refusal in outcomes]

    return handle


async def _nothing() -> None:
    """What each command of a batch does before all of them have their effects together."""


def ledger_row(context: Context) -> dict[str, Any]:
    """What a stand-in's ledger says of a command."""
    amount = -1 if context.kind is Kind.ACTION else 1
    about = {"saga_id": context.saga_id, "step": context.step, "kind": context.kind.value}
    return {**about, "key": context.step, "amount": amount}


def reply_to(endpoint: AnyEndpoint, rng: Random) -> Reply:
    """A reply that says something valid."""
    reply: Reply = instance(endpoint.reply, rng)
    return reply


_numbers = count()


def _write_once(context: ExternalContext, opening: Opening) -> str | None:
    """The first call with a key decides, and each later one has its answer."""
    key = f"outside/{context.idempotency_key}"
    if key not in context.database:
        context.database[key] = _write(context.database, context, opening)
    answer: str | None = context.database[key]
    return answer


def _write(database: MutableMapping[str, Any], context: Context, opening: Opening) -> str | None:
    """The effect of a command: a row of the ledger, and the balance. Refuses to take what is not there."""
    row, key = ledger_row(context), f"balance/{context.step}"
    balance = database.get(key, opening(context.step)) + row["amount"]
    if balance < 0:
        return "sold-out"
    database[f"ledger/{next(_numbers)}"] = row
    database[key] = balance
    return None
