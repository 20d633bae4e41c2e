"""Definitions with mistakes: each type checker must report every line that is marked, and no other line.

Never imported. It guards the inference inside a `Saga(...)` literal: one `Any` in the wrong place, and a checker
silently stops looking.
"""

from client import SagaClient, SyncSagaClient
from sagas import Command, Endpoint, Event, Reply, Retry, Saga, SagaData, SagaInput, pivot, step, undo


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


class Other(SagaData):
    city: str


RESERVE = Endpoint("stock", Reserve, Reserved)
RELEASE = Endpoint("stock", Release, Released)

SWAPPED = Endpoint("stock", Reserved, Reserve)  # mistake: command and reply
UNNAMED = Endpoint(Reserve, Reserve, Reserved)  # mistake: no participant

Event("ORDER_CREATED", stream="orders", key="id")  # mistake: not a function
Event("ORDER_CREATED", stream="orders", key=lambda data: None)  # mistake: no key
Event("ORDER_CREATED", stream="orders", key=lambda data: data["id"], start="0")  # mistake: neither "$" nor "beginning"
Event("ORDER_CREATED", "orders", key=lambda data: data["id"])  # mistake: stream= is left out

ELSEWHERE = Saga(
    "elsewhere",
    version="1",  # mistake: not a number
    input=Place,
    data=Other,
    steps=[
        step("data", RESERVE, lambda d: Reserve(product=d.product)),  # mistake: a field of another saga's data
        step("fine", RESERVE, lambda d: Reserve(product=d.city)),
    ],
)

MISTAKEN = Saga(
    "mistaken",
    version=1,
    input=Place,
    data=Data,
    timeout=[],  # mistake: not a duration
    steps=[
        step("field", RESERVE, lambda d: Reserve(product=d.produkt)),  # mistake: unknown data field
        step("type", RESERVE, lambda d: Reserve(product=d.amount)),  # mistake: int | None for str
        step("argument", RESERVE, lambda d: Reserve(produkt=d.product)),  # mistake: unknown command field
        step("command", RESERVE, lambda d: Release(product=d.product)),  # mistake: another endpoint's command
        step("number", RESERVE, lambda d: d.product),  # mistake: no command at all
        step("undo-field", RESERVE, undo=undo(RELEASE, lambda d: Release(product=d.produkt))),  # mistake: unknown data field
        step("undo-command", RESERVE, undo=undo(RELEASE, lambda d: Reserve(product=d.product))),  # mistake: not the undo's command
        step("undo-endpoint", RESERVE, undo=RELEASE),  # mistake: undo(...) is missing
        step("undo-flag", RESERVE, undo=False),  # mistake: None says that there is nothing to undo
        pivot(),
        step("reply", RESERVE, merge=lambda d, r: {"amount": r.amout}),  # mistake: unknown reply field
        step("other-reply", RELEASE, merge=lambda d, r: {"amount": r.amount}),  # mistake: another endpoint's reply
        step("merge-data", RESERVE, merge=lambda d, r: {"amount": d.amout}),  # mistake: unknown data field
        step("merge-result", RESERVE, merge=lambda d, r: r.amount),  # mistake: not the changed fields
        step("arguments", RESERVE, merge=lambda r: {"amount": r.amount}),  # mistake: data and reply
        step("name", RESERVE, name="x"),  # mistake: named twice
        step("retry", RESERVE, retry=3),  # mistake: Retry(...) is missing
        step("attempts", RESERVE, retry=Retry(attempts="3")),  # mistake: not a number
        step("fine", RESERVE, lambda d: Reserve(product=d.product), merge=lambda d, r: {"amount": r.amount}),
        RESERVE,  # mistake: step(...) is missing
    ],
)


PLACED = Saga("placed", version=1, input=Place, data=Data, steps=[step("reserve", RESERVE)])


async def starting(client: SagaClient) -> None:
    await client.start(PLACED, Reserve(product="boots"))  # mistake: not the saga's input
    await client.start(PLACED, {"product": "boots"})  # mistake: a dict goes with a name
    await client.start("placed", 5)  # mistake: no data at all
    await client.start(PLACED, Place(product="boots"), wait="10s")  # mistake: it is wait_s
    (await client.start(PLACED, Place(product="boots"))).data.produkt  # mistake: unknown data field
    (await client.get("one", PLACED)).data.produkt  # mistake: unknown data field
    await client.skip("one")  # mistake: no reason
    client.get(1)  # mistake: not an id


def starting_and_blocking(client: SyncSagaClient) -> None:
    client.start(PLACED, Reserve(product="boots"))  # mistake: not the saga's input
    client.start(PLACED, Place(product="boots")).data.produkt  # mistake: unknown data field
    for found in client.find(saga=PLACED):
        found.data.produkt  # mistake: unknown data field
