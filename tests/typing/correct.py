"""A definition without mistakes: type checkers find nothing here, and infer what the lambdas get."""

from collections.abc import Mapping
from typing import assert_type

from sagas import Command, Endpoint, Reply, Retry, Saga, SagaData, SagaInput, pivot, step, undo


class Reserve(Command):
    product: str


class Reserved(Reply):
    amount: int


class Release(Command):
    product: str


class Released(Reply):
    pass


class Place(SagaInput):
    product: str


class Data(SagaData):
    product: str
    amount: int | None = None

    def to_reserve(self) -> Reserve:
        return Reserve(product=self.product)


RESERVE = Endpoint("stock", Reserve, Reserved)
RELEASE = Endpoint("stock", Release, Released)

assert_type(RESERVE, Endpoint[Reserve, Reserved])


def merged(data: Data, reply: Reserved) -> Mapping[str, object]:
    """A named function instead of a lambda."""
    return {"amount": reply.amount + (data.amount or 0)}


correct = Saga(
    "correct",
    version=1,
    input=Place,
    data=Data,
    timeout="10m",
    steps=[
        step("by-name", RESERVE, undo=undo(RELEASE)),
        step("nothing-to-undo", RELEASE, undo=None),
        step(
            "lambdas",
            RESERVE,
            lambda d: Reserve(product=d.product),
            undo=undo(RELEASE, lambda d: Release(product=d.product.upper())),
        ),
        step("merge", RESERVE, merge=lambda d, r: {"amount": r.amount + (d.amount or 0)}, undo=None),
        step("named", RESERVE, Data.to_reserve, merge=merged, undo=None),
        pivot(),
        step("after", RELEASE, lambda d: Release(product=d.product), timeout=2.5, retry=Retry(attempts=3, first_s=0.5)),
    ],
)

assert_type(correct, Saga[Place, Data])
