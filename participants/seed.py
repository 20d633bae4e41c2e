"""Products and customers to begin with. Called by the command line and demos, never by a participant on its own.

Seeding sets a balance, whatever it was: the ledger gets an `opening` row of the difference in the same transaction,
so its sums stay right. Seeding twice changes nothing.
"""

from dataclasses import dataclass
from datetime import datetime
from random import Random
from typing import Any

from adapters.clock import Clock
from adapters.mongo import Mongo, Session, find, translating
from participants.inbox import TRIES, restarting
from participants.inventory import PRODUCTS
from participants.ledger import LEDGER, Balances, opening_row
from participants.payment import ACCOUNTS


@dataclass(frozen=True, slots=True)
class Product:
    """How many there are, and the price of one in minor units."""

    id: str
    stock: int
    price: int


@dataclass(frozen=True, slots=True)
class Customer:
    """What the customer can spend, in minor units."""

    id: str
    balance: int


PRODUCTS_TO_BEGIN_WITH = (
    Product("boots", 1_000_000, 1999),
    Product("last-pair", 1, 1999),
    Product("sold-out", 0, 1999),
)
CUSTOMERS_TO_BEGIN_WITH = (Customer("alice", 10**9), Customer("broke", 0))


class Seeder:
    """Writes into the databases `{prefix}inventory` and `{prefix}payment`."""

    def __init__(self, mongo: Mongo, clock: Clock, random: Random, *, prefix: str = "saga_") -> None:
        self._mongo = mongo
        self._clock = clock
        self._random = random
        self._prefix = prefix

    async def everything(self) -> None:
        """The products and customers that the demos and the README use."""
        for product in PRODUCTS_TO_BEGIN_WITH:
            await self.product(product)
        for customer in CUSTOMERS_TO_BEGIN_WITH:
            await self.customer(customer)

    async def product(self, product: Product) -> None:
        """Set a product's stock and price. Raises `ValueError` below zero, `Unavailable` while MongoDB is away."""
        if product.stock < 0 or product.price < 0:
            raise ValueError("stock and price can't be below zero")
        await self._set("inventory", PRODUCTS, product.id, product.stock, {"price": product.price})

    async def customer(self, customer: Customer) -> None:
        """Set a customer's balance. Raises `ValueError` below zero, `Unavailable` while MongoDB is away."""
        if customer.balance < 0:
            raise ValueError("a balance can't be below zero")
        await self._set("payment", ACCOUNTS, customer.id, customer.balance, {})

    async def _set(self, participant: str, balances: Balances, key: str, wanted: int, others: dict[str, Any]) -> None:
        database = self._mongo.database(f"{self._prefix}{participant}")

        async def body(session: Session) -> None:
            await _set_balance(database, session, balances, key, wanted, others, self._clock.now())

        await restarting(lambda: self._mongo.transaction(body), self._clock, self._random, TRIES)


async def _set_balance(
    database: Any, session: Session, balances: Balances, key: str, wanted: int, others: dict[str, Any], at: datetime
) -> None:
    collection = database[balances.collection]
    found = await find(collection, {"_id": key}, limit=1, session=session)
    difference = wanted - (found[0][balances.field] if found else 0)
    values = {balances.field: wanted, **others}
    with translating():
        if difference or not found:
            await database[LEDGER].insert_one(opening_row(key, difference, at), session=session)
        await collection.update_one({"_id": key}, {"$set": values}, upsert=True, session=session)
