"""A saga that gives up soon, and its participant, which only writes a ledger: nothing but the inbox protects it."""

from typing import Any

from adapters.mongo import translating
from participants.context import Transaction
from participants.ledger import LEDGER
from participants.participant import Participant
from sagas import Command, Endpoint, Reply, Retry, Saga, SagaData, SagaInput, step, undo
from sagas.contracts import AnyEndpoint
from sagas.messages import Kind


class Ask(SagaInput):
    """What a client sends."""


class Asked(SagaData):
    """What the saga knows."""


class Book(Command): ...


class Unbook(Command): ...


class Pay(Command): ...


class Unpay(Command): ...


class Send(Command): ...


class Done(Reply): ...


BOOK, UNBOOK, PAY, UNPAY, SEND = (Endpoint("desk", each, Done) for each in (Book, Unbook, Pay, Unpay, Send))

hasty = Saga(
    "hasty",
    version=1,
    input=Ask,
    data=Asked,
    steps=[
        step("book", BOOK, undo=undo(UNBOOK, timeout="1s"), timeout="1s", retry=Retry(attempts=1)),
        step("pay", PAY, undo=undo(UNPAY, timeout="1s"), timeout="1s", retry=Retry(attempts=2)),
        step("send", SEND),
    ],
)

desk = Participant("desk")


def _noting(endpoint: AnyEndpoint) -> None:
    @desk.handles(endpoint)
    async def note(_command: Any, tx: Transaction) -> Done:
        about = {"saga_id": tx.saga_id, "step": tx.step, "kind": tx.kind.value, "at": tx.now}
        amount = 1 if tx.kind is Kind.ACTION else -1
        with translating():
            await tx.database[LEDGER].insert_one({**about, "key": tx.step, "amount": amount}, session=tx.session)
        return Done()


for _endpoint in (BOOK, UNBOOK, PAY, UNPAY, SEND):
    _noting(_endpoint)
