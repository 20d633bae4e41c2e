"""What a real run orders, and what there is to be had: rejects of every kind, and one product that everybody wants."""

from collections.abc import Mapping
from random import Random
from typing import Any

from adapters.clock import Clock
from adapters.mongo import Mongo
from chaos import samples
from participants.app import SHIPPED
from participants.seed import Customer, Product, Seeder
from sagas import Saga
from sagas.order import order

_HOT = "hot"
_HOT_SHARE = 0.1  #: of the orders that want it and could pay: so many get it
_PRICE = 1999
_ORDERS: Mapping[tuple[str, str], int] = {  # Customer, product, and how often of ten.
    ("alice", "boots"): 6,
    ("alice", _HOT): 2,
    ("alice", "sold-out"): 1,
    ("broke", "boots"): 1,
}


def reference(name: str, saga: Saga) -> str | None:
    """The shipped participant of that name, where it knows the saga's commands; None: a stand-in has to do."""
    shipped = SHIPPED.get(name)
    wanted = {step.endpoint.type for step in saga.steps if step.endpoint.participant == name}
    wanted |= {
        step.undo.endpoint.type
        for step in saga.steps
        if step.undo is not None and step.undo.endpoint.participant == name
    }
    if shipped is None or not wanted <= shipped.handlers.keys():
        return None
    return f"participants.{name}:{name}"


def is_order(saga: Saga) -> bool:
    """Whether it takes the orders that are made here."""
    return saga.input is order.input


def data(saga: Saga, rng: Random) -> dict[str, Any]:
    """What one client sends."""
    if not is_order(saga):
        return samples.example(saga.input, rng)
    ((customer, product),) = rng.choices(list(_ORDERS), list(_ORDERS.values()))
    return {"customer_id": customer, "items": [{"product_id": product, "quantity": rng.choice((1, 1, 2))}]}


async def seed(mongo: Mongo, saga: Saga, sagas: int, clock: Clock, rng: Random) -> None:
    """What there is to begin with."""
    if not is_order(saga):
        return
    seeder = Seeder(mongo, clock, rng)
    hot = max(1, int(sagas * _ORDERS["alice", _HOT] / sum(_ORDERS.values()) * _HOT_SHARE))
    for product in (Product("boots", 1_000_000, _PRICE), Product(_HOT, hot, _PRICE), Product("sold-out", 0, _PRICE)):
        await seeder.product(product)
    for customer in (Customer("alice", 10**9), Customer("broke", 0)):
        await seeder.customer(customer)
