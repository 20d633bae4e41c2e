"""A definition without mistakes: type checkers find nothing here, and infer what the lambdas get."""

from collections.abc import Mapping
from typing import Any, assert_type

from client import SagaClient, SagaInstance, SyncSagaClient
from sagas import Command, Endpoint, Event, EventData, Reply, Retry, Saga, SagaData, SagaInput, pivot, step, undo


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
    starts_on=Event("ORDER_CREATED", stream="orders", key=lambda data: data["orderId"]),
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


async def starting(client: SagaClient) -> None:
    """A client is typed by the definition."""
    started = await client.start(correct, Place(product="boots"), key="k", wait_s=10)
    assert_type(started, SagaInstance[Data])
    assert_type(started.data.amount, int | None)
    assert_type(await client.start("correct", {"product": "boots"}), SagaInstance[dict[str, Any]])
    assert_type(await client.get("one", correct), SagaInstance[Data])
    assert_type(await client.get("one"), SagaInstance[dict[str, Any]])
    assert_type(await client.wait("one", correct, timeout_s=5), SagaInstance[Data])
    async for found in client.find(saga=correct):
        assert_type(found, SagaInstance[Data])
    async for transition in client.watch("one"):
        assert_type(transition.revision, int)


def starting_and_blocking(client: SyncSagaClient) -> None:
    """So is the other one."""
    assert_type(client.start(correct, Place(product="boots")), SagaInstance[Data])
    assert_type(client.get("one"), SagaInstance[dict[str, Any]])
    for found in client.find(saga=correct, limit=3):
        assert_type(found, SagaInstance[Data])


def number(data: EventData) -> int:
    """A named function instead of a lambda."""
    return int(data["number"])


Event("ORDER_CREATED", stream="orders", key=number, input=lambda data: {"product": data["sku"]}, start="beginning")
