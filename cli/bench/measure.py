"""What a run has come to: read from the documents when it is over, so that reading disturbs nothing."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from adapters.mongo import Document, Mongo, find, translating
from cli.bench.plan import Plan
from cli.totals import Total, Totals
from orchestrator.store import COLLECTION
from participants.inventory import PRODUCTS
from participants.ledger import LEDGER, Balances
from participants.payment import ACCOUNTS

_END = "\x7f"  #: behind every character of an id


@dataclass(frozen=True, slots=True)
class Ends:
    """Sagas that have ended: how many of each end, how long each took, and how long all of them together."""

    statuses: Counter[str]
    took_ms: Sequence[float]
    seconds: float  #: from when the first one's time counts to the last one's end


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that so large a share of all of them does not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * round(share * 1_000) // 1_000) - 1)]


def acceptance(document: Document) -> datetime:
    """When the orchestrator had accepted the saga, by its clock."""
    at: datetime = document["created_at"]
    return at


def ends_of(documents: Sequence[Document], begun: Callable[[Document], datetime] = acceptance) -> Ends:
    """By the orchestrator's clock, as stored; of sagas that have ended, at least one.

    `begun` tells from when on a saga's time counts.
    """
    took = [(document["ended_at"] - begun(document)) / timedelta(milliseconds=1) for document in documents]
    first = min(map(begun, documents))
    last = max(document["ended_at"] for document in documents)
    return Ends(Counter(document["status"] for document in documents), took, (last - first).total_seconds())


async def read_ended(mongo: Mongo, database: str, prefix: str, most: int) -> list[Document]:
    """Status and times of the sagas that have ended, of those whose ids begin so."""
    query = {"_id": _beginning_with(prefix), "ended_at": {"$ne": None}}
    fields = ["status", "created_at", "ended_at"]
    return await find(mongo.database(database)[COLLECTION], query, limit=most, projection=fields)


async def count_going(mongo: Mongo, database: str, prefix: str) -> int:
    """How many of them have not ended."""
    query = {"_id": _beginning_with(prefix), "ended_at": None}
    with translating():
        return int(await mongo.database(database)[COLLECTION].count_documents(query))


async def read_own_totals(mongo: Mongo, prefix: str, plan: Plan) -> Totals:
    """The ledgers and balances of the run's own products and customers, and its orders."""
    stock = {product.id: product.stock for product in plan.products()}
    money = {customer.id: customer.balance for customer in plan.customers()}
    orders = mongo.database(f"{prefix}orders")["orders"]
    own = {"$match": {"_id": _beginning_with(plan.prefix)}}
    items: list[Document] = [own, {"$unwind": "$items"}, _group("$items.product_id", "$items.quantity")]
    return Totals(
        stock=await _totals(mongo, f"{prefix}inventory", PRODUCTS, stock, plan),
        money=await _totals(mongo, f"{prefix}payment", ACCOUNTS, money, plan),
        orders=int(sum((await _sums(orders, [own, _group(None, 1)])).values())),
        ordered=Counter(await _sums(orders, items)),
        charged=Counter(await _sums(orders, [own, _group("$customer_id", "$amount")])),
    )


async def _totals(mongo: Mongo, name: str, balances: Balances, seeded: dict[str, int], plan: Plan) -> list[Total]:
    database = mongo.database(name)
    own = {"$match": {"saga_id": _beginning_with(plan.prefix)}}
    sums = await _sums(database[LEDGER], [own, _group({"key": "$key", "kind": "$kind"}, "$amount")])
    found = await find(database[balances.collection], {"_id": {"$in": list(seeded)}}, limit=len(seeded))
    return [
        Total(
            document["_id"],
            seeded[document["_id"]],
            sums.get((document["_id"], "action"), 0),
            sums.get((document["_id"], "compensation"), 0),
            document[balances.field],
        )
        for document in found
    ]


async def _sums(collection: Any, pipeline: list[Document]) -> dict[Any, int]:
    with translating():  # As a command: the drivers' `aggregate` differ.
        answer = await collection.database.command(
            "aggregate", collection.name, pipeline=pipeline, cursor={"batchSize": 10_000}
        )
    return {_key(group["_id"]): group["sum"] for group in answer["cursor"]["firstBatch"]}


def _group(by: Any, what: Any) -> Document:
    return {"$group": {"_id": by, "sum": {"$sum": what}}}


def _key(group: Any) -> Any:
    return tuple(group.values()) if isinstance(group, dict) else group


def _beginning_with(prefix: str) -> Document:
    return {"$gte": prefix, "$lt": prefix + _END}
