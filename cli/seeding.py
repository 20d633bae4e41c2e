"""Products and customers to begin with: `saga seed`, and what `saga up` does on a new data directory.

Writes into the participants' databases, because they have no HTTP API; never into the orchestrator's.
"""

import asyncio
from random import SystemRandom

from adapters.clock import SystemClock
from adapters.mongo import Mongo, find
from cli.data_directory import nearest
from cli.databases import participant_settings, running_databases
from cli.expected import explaining
from cli.failure import Exit, Failure
from cli.terminal import note
from participants.inventory import PRODUCTS
from participants.payment import ACCOUNTS
from participants.seed import CUSTOMERS_TO_BEGIN_WITH, PRODUCTS_TO_BEGIN_WITH, Customer, Product, Seeder
from participants.settings import ParticipantSettings


@explaining
def run_seed(
    product: str | None, stock: int | None, price: int | None, customer: str | None, balance: int | None
) -> None:
    """Set what is given; without anything, all that the examples use. Raises `Failure`."""
    _check(product, stock, price, customer, balance)
    asyncio.run(_seed(_settings(), _product(product, stock, price), _customer(customer, balance)))


async def seed_what_is_missing(settings: ParticipantSettings) -> None:
    """Make the products and customers that the examples use, but leave those that exist as they are."""
    mongo = Mongo.connect(settings.mongo_url)
    try:
        seeder = _seeder(mongo, settings)
        there = await _existing(mongo, settings, "inventory", PRODUCTS.collection)
        for product in PRODUCTS_TO_BEGIN_WITH:
            if product.id not in there:
                await seeder.product(product)
        there = await _existing(mongo, settings, "payment", ACCOUNTS.collection)
        for customer in CUSTOMERS_TO_BEGIN_WITH:
            if customer.id not in there:
                await seeder.customer(customer)
    finally:
        await mongo.close()


async def _existing(mongo: Mongo, settings: ParticipantSettings, participant: str, collection: str) -> set[str]:
    ids = [each.id for each in (*PRODUCTS_TO_BEGIN_WITH, *CUSTOMERS_TO_BEGIN_WITH)]
    database = mongo.database(f"{settings.database_prefix}{participant}")
    return {document["_id"] for document in await find(database[collection], {"_id": {"$in": ids}}, limit=len(ids))}


async def _seed(settings: ParticipantSettings, product: Product | None, customer: Customer | None) -> None:
    mongo = Mongo.connect(settings.mongo_url)
    try:
        seeder = _seeder(mongo, settings)
        if product:
            await seeder.product(product)
            note(f"product {product.id}: {product.stock} in stock at {product.price}")
        if customer:
            await seeder.customer(customer)
            note(f"customer {customer.id}: balance {customer.balance}")
        if not product and not customer:
            await seeder.everything()
            note("products and customers are as the examples want them")
    finally:
        await mongo.close()


def _seeder(mongo: Mongo, settings: ParticipantSettings) -> Seeder:
    return Seeder(mongo, SystemClock(), SystemRandom(), prefix=settings.database_prefix)


def _settings() -> ParticipantSettings:
    settings = participant_settings()
    if "mongo_url" in settings.model_fields_set and settings.mongo_url:
        return settings
    mongo_url = running_databases(nearest()).get("mongo_url")
    if mongo_url is None:
        raise Failure("MongoDB was not found. Start `saga up` here, or set SAGA_MONGO_URL.")
    return participant_settings(mongo_url=mongo_url)


def _check(
    product: str | None, stock: int | None, price: int | None, customer: str | None, balance: int | None
) -> None:
    if (product is None) != (stock is None) or (product is None) != (price is None):
        raise Failure("--product, --stock and --price go together.", Exit.USAGE)
    if (customer is None) != (balance is None):
        raise Failure("--customer and --balance go together.", Exit.USAGE)


def _product(product: str | None, stock: int | None, price: int | None) -> Product | None:
    return None if product is None or stock is None or price is None else Product(product, stock, price)


def _customer(customer: str | None, balance: int | None) -> Customer | None:
    return None if customer is None or balance is None else Customer(customer, balance)
