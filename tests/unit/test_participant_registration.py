"""What can be no handler is refused when it is registered, before the first command."""

from collections.abc import Awaitable
from functools import partial, wraps
from typing import Any

import pytest

from participants.context import Transaction
from participants.participant import Participant
from sagas.contracts import Endpoint
from sagas.errors import InvalidDefinition
from support.participants import TAKE, PutBack, PutBackDone, Take, Taken, bank


def test_a_handler_must_be_for_an_endpoint_of_its_participant() -> None:
    with pytest.raises(InvalidDefinition, match="belongs to 'shop'"):
        Participant("bank").handles(Endpoint("shop", Take, Taken))(bank(batch=False).handlers[TAKE.type].handler)


def test_an_endpoint_has_one_handler() -> None:
    participant = bank(batch=False)
    with pytest.raises(InvalidDefinition, match="has a handler already"):
        participant.handles(TAKE)(participant.handlers[TAKE.type].handler)


async def _two(command: Take, tx: Transaction) -> Taken:
    return Taken(amount=1)


def _blocking(command: Take, tx: Transaction) -> Taken:
    return Taken(amount=1)


async def _alone(command: Take) -> Taken:
    return Taken(amount=1)


async def _other_command(command: PutBack, tx: Transaction) -> Taken:
    return Taken(amount=1)


async def _other_reply(command: Take, tx: Transaction) -> PutBackDone:
    return PutBackDone()


@pytest.mark.parametrize(
    ("endpoint", "handler", "says"),
    [
        (Take, _two, r"handles\(Take\) must get an Endpoint\(\.\.\.\), not ModelMetaclass"),
        (TAKE, _blocking, r"of bank\.take is not async; write it like `async def _blocking\(command, tx\)`"),
        (TAKE, _other_command, r"takes as `command` PutBack; with that endpoint it is Take"),
        (TAKE, _other_reply, r"gives PutBackDone; with that endpoint it is Taken"),
        (TAKE, _alone, r"of bank\.take must take two arguments; write it like `async def _alone\(command, tx\)`"),
    ],
)
def test_what_can_never_be_called_is_refused_when_it_is_registered(endpoint: Any, handler: Any, says: str) -> None:
    with pytest.raises(InvalidDefinition, match=f"^Participant 'bank': .*{says}$"):
        Participant("bank").handles(endpoint)(handler)


def test_a_handler_that_expects_what_its_mode_does_not_give_is_refused() -> None:
    with pytest.raises(InvalidDefinition, match="takes as `tx` Transaction; with that endpoint it is ExternalContext"):
        Participant("bank").handles(TAKE, external=True)(_two)  # type: ignore[arg-type]
    with pytest.raises(InvalidDefinition, match="takes as `tx` Transaction; with that endpoint it is BatchTransaction"):
        Participant("bank").handles(TAKE, batch=True)(_two)  # type: ignore[arg-type]


def test_without_its_parentheses_the_decorator_says_so() -> None:
    with pytest.raises(InvalidDefinition, match=r"handles\(_two\) must get an Endpoint\(\.\.\.\), not function"):
        Participant("bank").handles(_two)  # type: ignore[call-overload]


def test_a_decorated_handler_and_an_object_that_can_be_called_are_handlers() -> None:
    @wraps(_two)
    def decorated(command: Take, tx: Transaction) -> Awaitable[Taken]:
        return _two(command, tx)

    class Taking:
        async def __call__(self, command: Take, tx: Transaction) -> Taken:
            return Taken(amount=1)

    for handler in (decorated, partial(_two), Taking(), Taking().__call__):
        Participant("bank").handles(TAKE)(handler)
