"""What a real run's evidence takes for balances: the participants' own, and what is done outside of every database."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from adapters.mongo import Mongo
from adapters.servers import MongoServer
from chaos.evidence import Evidence
from chaos.real import evidence
from sagas.order import order
from support.clock import ManualClock


@pytest.fixture
async def mongo(own_mongo: MongoServer) -> AsyncIterator[Mongo]:
    mongo = Mongo.connect(own_mongo.url)
    yield mongo
    await mongo.close()


def row(key: str, amount: int = 1, **more: Any) -> dict[str, Any]:
    about = {"saga_id": "s1", "step": "a-step", "kind": "action", "at": ManualClock().now()}
    return {**about, "key": key, "amount": amount, **more}


async def read(mongo: Mongo, participant: str, ledger: list[dict[str, Any]], **more: list[dict[str, Any]]) -> Evidence:
    for collection, documents in {"ledger": ledger, **more}.items():
        await mongo.database(f"saga_{participant}")[collection].insert_many(documents)
    return await evidence.read(mongo, [order], [], [])


def balances(found: Evidence) -> Mapping[tuple[str, str], int]:
    return {key: value for key, value in found.balances.items() if value}


async def test_an_order_without_its_document_is_missed(mongo: Mongo) -> None:
    found = await read(mongo, "orders", [row("o1"), row("o2")], orders=[{"_id": "s1", "order_id": "o1"}])
    assert balances(found) == {("orders", "o1"): 1}


async def test_no_order_at_all_is_missed_too(mongo: Mongo) -> None:
    assert balances(await read(mongo, "orders", [row("o1")])) == {}


async def test_what_is_done_outside_needs_no_balance_also_where_others_are_kept(mongo: Mongo) -> None:
    ledger = [row("paris"), row("paris", outside=True), row("rome", outside=True)]
    found = await read(mongo, "payment", ledger, accounts=[{"_id": "paris", "balance": 1}])
    assert balances(found) == {("payment", "paris"): 2, ("payment", "rome"): 1}


async def test_who_keeps_no_balances_is_taken_at_its_ledgers_word(mongo: Mongo) -> None:
    found = await read(mongo, "payment", [row("paris", 2), row("paris", -1)])
    assert balances(found) == {("payment", "paris"): 1}


async def test_a_row_that_lacks_something_is_a_finding(mongo: Mongo) -> None:
    found = await read(mongo, "payment", [{name: value for name, value in row("paris").items() if name != "at"}])
    (bug,) = found.bugs
    assert bug.startswith("a row in the ledger of payment has no at: each has saga_id, step,")
