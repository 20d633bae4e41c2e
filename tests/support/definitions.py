"""A small saga to be broken in many ways, and what its author is told."""

from collections.abc import Callable
from typing import Any

import pytest

from sagas import Command, Endpoint, InvalidDefinition, Reply, Saga, SagaData, SagaInput, step, undo


class Reserve(Command):
    product: str


class Reserved(Reply):
    amount: int


class Release(Command):
    pass


class Done(Reply):
    pass


class Charge(Command):
    amount: int


class Charged(Reply):
    payment_id: str


class Refund(Command):
    payment_id: str


class RefundAmount(Command):
    amount: int


class Place(SagaInput):
    product: str
    note: str | None = None


class Order(SagaData):
    product: str
    note: str | None = None
    amount: int | None = None
    payment_id: str | None = None


RESERVE = Endpoint("inventory", Reserve, Reserved)
RELEASE = Endpoint("inventory", Release, Done)
CHARGE = Endpoint("payment", Charge, Charged)
REFUND = Endpoint("payment", Refund, Done)
REFUND_AMOUNT = Endpoint("payment", RefundAmount, Done)


def problems(build: Callable[[], Saga]) -> list[str]:
    with pytest.raises(InvalidDefinition) as refused:
        build()
    assert str(refused.value) == "\n".join(refused.value.problems)
    return list(refused.value.problems)


def order(*steps: Any, data: Any = Order, **changed: Any) -> Saga:
    settings = {"version": 1, "input": Place, "data": data, "steps": list(steps), **changed}
    return Saga("order", **settings)


def reserve(**changed: Any) -> Any:
    return step("reserve", RESERVE, **{"undo": undo(RELEASE), **changed})


def charge(**changed: Any) -> Any:
    return step("charge", CHARGE, **{"undo": undo(REFUND_AMOUNT), **changed})
