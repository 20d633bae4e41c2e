"""Old rows of a ledger become one row with their sum, and sums are balances at every moment; on real MongoDB."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from random import Random
from typing import Any, cast
from uuid import uuid4

import pytest
from pydantic import ValidationError
from pymongo.errors import OperationFailure

from adapters.clock import SystemClock
from adapters.mongo import Driver, Mongo, Session, find
from adapters.servers import MongoServer
from chaos.real import evidence
from participants.app import build
from participants.inbox import TRIES, restarting
from participants.inventory import inventory
from participants.orders import orders
from participants.participant import Service
from participants.payment import payment
from participants.retention import ARCHIVE, BATCH, LedgerRetention
from participants.seed import Product, Seeder
from participants.settings import ParticipantSettings
from sagas.order import order
from support import eventually
from support.clock import ManualClock
from support.ordering import release, reserve
from support.participants import outcome, replies_of
from support.participants_mongo import Fleet, fleet_on

NOW = ManualClock().now()


@pytest.fixture(params=["motor", "pymongo"])
async def fleet(request: pytest.FixtureRequest, mongo_url: str) -> AsyncIterator[Fleet]:
    async with fleet_on(mongo_url, cast("Driver", request.param)) as fleet:
        yield fleet


def tomorrow() -> datetime:
    return SystemClock().now() + timedelta(days=1)


def retention(fleet: Fleet, told: list[int] | None = None, *, archive: bool = False) -> LedgerRetention:
    folded = [] if told is None else told
    name = f"{fleet.prefix}inventory"
    return LedgerRetention(fleet.mongo, name, ManualClock(), keep=None, archive=archive, folded=folded.append)


async def rows(fleet: Fleet, collection: str = "ledger") -> list[dict[str, Any]]:
    return await find(fleet.database("inventory")[collection], {}, limit=10_000, sort=[("_id", 1)])


async def test_all_old_rows_of_a_key_become_one_and_the_next_ones_join_it(fleet: Fleet) -> None:
    await fleet.seeder().product(Product("boots", 10, 1999))
    service, told = fleet.instance(inventory), list[int]()
    await replies_of(service, reserve("s1"), reserve("s2"), release("s1"))
    assert await retention(fleet, told).fold(tomorrow()) == 4
    assert await rows(fleet) == [{"_id": "opening/boots", "kind": "opening", "key": "boots", "amount": 9, "at": NOW}]
    await replies_of(service, reserve("s3"))
    assert await retention(fleet, told).fold(tomorrow()) == 1
    assert [row["amount"] for row in await rows(fleet)] == [8]
    assert await retention(fleet, told).fold(tomorrow()) == 0
    assert told == [4, 1, 0]


async def test_what_is_not_old_stays_as_it_is(fleet: Fleet) -> None:
    await fleet.seeder().product(Product("boots", 10, 1999))
    await replies_of(fleet.instance(inventory), reserve("s1"))
    before = await rows(fleet)
    assert await retention(fleet).fold(SystemClock().now() - timedelta(hours=1)) == 0
    assert await rows(fleet) == before


async def test_rows_that_are_archived_are_all_there_with_nothing_changed(fleet: Fleet) -> None:
    await fleet.seeder().product(Product("boots", 10, 1999))
    await replies_of(fleet.instance(inventory), reserve("s1"), release("s1"))
    before = await rows(fleet)
    await retention(fleet, archive=True).fold(tomorrow())
    assert await rows(fleet, ARCHIVE) == before


async def test_a_fold_that_fails_has_changed_nothing_and_copied_nothing(fleet: Fleet) -> None:
    await fleet.seeder().product(Product("boots", 10, 1999))
    await fleet.database("inventory")["ledger"].insert_one({"_id": "opening/boots", "amount": "nothing to add to"})
    before = await rows(fleet)
    with pytest.raises(OperationFailure):
        await retention(fleet, archive=True).fold(tomorrow())
    assert await rows(fleet) == before
    assert await rows(fleet, ARCHIVE) == []


async def test_sums_are_balances_at_every_moment_while_orders_come_and_several_processes_fold(fleet: Fleet) -> None:
    seeder = fleet.seeder()
    for product in ("boots", "hats"):
        await seeder.product(Product(product, 1_000, 1999))
    services, folders = (
        [fleet.instance(inventory) for _ in range(2)],
        [retention(fleet, archive=True) for _ in range(2)],
    )
    folded, over = list[int](), asyncio.Event()

    async def fold(folder: LedgerRetention) -> None:
        while not over.is_set():
            folded.append(await folder.fold(tomorrow()))

    looks = 0
    async with asyncio.TaskGroup() as group:
        for folder in folders:
            group.create_task(fold(folder))
        ordering = [group.create_task(_order(service, name)) for name, service in zip("ab", services, strict=True)]
        while not all(task.done() for task in ordering):
            sums, balances = await _both(fleet)
            assert sums == balances
            looks += 1
        over.set()
    while count := await folders[0].fold(tomorrow()):
        folded.append(count)
    assert {row["_id"]: row["amount"] for row in await rows(fleet)} == {"opening/boots": 900, "opening/hats": 800}
    assert looks
    assert sum(1 for count in folded if count) > 1
    archived = await find(fleet.database("inventory")[ARCHIVE], {}, limit=10_000)
    assert len(archived) == sum(folded), "each row once"


async def _order(service: Service, name: str) -> None:
    for number in range(10):
        ids = [f"{name}{number}-{each}" for each in range(10)]
        await replies_of(service, *(reserve(each, [("boots", 1), ("hats", 2)]) for each in ids))
        await replies_of(service, *(release(each) for each in ids[::2]))


async def test_a_long_ledger_is_folded_in_batches(fleet: Fleet) -> None:
    database = fleet.database("inventory")
    await fleet.seeder().product(Product("boots", 10, 1999))
    about = {"kind": "action", "key": "boots", "amount": 1, "at": NOW}
    await database["ledger"].insert_many([{**about, "saga_id": f"s{number}"} for number in range(BATCH + 9)])
    assert [await retention(fleet).fold(tomorrow()) for _ in range(3)] == [BATCH, 10, 0]
    assert await fleet.sums("inventory") == {"boots": BATCH + 19}


async def test_an_id_that_is_used_again_is_refused_for_as_long_as_the_ledger_knows_it(mongo_url: str) -> None:
    async with fleet_on(mongo_url) as fleet:
        await fleet.seeder().product(Product("boots", 10, 1999))
        service = fleet.instance(inventory)
        await replies_of(service, reserve("s1"))
        await fleet.database("inventory")["inbox"].delete_many({})  # Its time is over.
        (reply,) = await replies_of(service, reserve("s1"))
        assert outcome(reply).startswith("failed")
        assert await fleet.sums("inventory") == {"boots": 9}
        await retention(fleet).fold(tomorrow())
        (reply,) = await replies_of(service, reserve("s1"))
        assert outcome(reply) == "succeeded"
        assert await fleet.sums("inventory") == {"boots": 8}
        assert await fleet.balances("inventory", "products", "available") == {"boots": 8}


async def test_participants_fold_their_ledgers_by_themselves_and_stop_when_told_to(
    mongo_url: str, redis_url: str
) -> None:
    async with fleet_on(mongo_url) as fleet:
        await fleet.seeder().everything()
        settings = ParticipantSettings(
            mongo_url=mongo_url,
            redis_url=redis_url,
            database_prefix=fleet.prefix,
            stream_prefix=f"t{uuid4().hex[:8]}.",
            inbox_expiry_days=2,
            ledger_retention_days=2,
        )
        running = build(inventory, payment, orders, settings=settings, clock=_LongAfter())
        await running.start()

        async def is_folded() -> bool:
            ledgers = [fleet.database(name)["ledger"] for name in ("inventory", "payment")]
            return [await ledger.count_documents({"_id": {"$type": "string"}}) for ledger in ledgers] == [3, 2]

        await eventually(is_folded, within_s=20)
        await running.stop()
        assert all(task.done() for task in running.tasks)
        page = {sample.labels["participant"]: sample.value for sample in _samples(running.recorder.registry)}
        assert page == {"inventory": 3, "payment": 2, "orders": 0}


def test_a_ledger_is_kept_for_ever_unless_told_otherwise_and_never_shorter_than_the_inbox() -> None:
    assert ParticipantSettings().ledger_retention is None
    assert ParticipantSettings(ledger_retention_days=90).ledger_retention == timedelta(days=90)
    with pytest.raises(ValidationError, match="must be at least SAGA_INBOX_EXPIRY_DAYS, 90"):
        ParticipantSettings(ledger_retention_days=89)


async def test_a_failure_runs_checker_takes_folded_rows_for_what_a_key_began_with(own_mongo: MongoServer) -> None:
    mongo = Mongo.connect(own_mongo.url)
    await Seeder(mongo, SystemClock(), Random(1)).product(Product("boots", 10, 1999))
    await LedgerRetention(mongo, "saga_inventory", SystemClock(), keep=None).fold(tomorrow())
    found = await evidence.read(mongo, [order], [], [])
    assert found.openings == {("inventory", "boots"): 10}
    assert found.balances == {("inventory", "boots"): 10}
    assert found.ledger == []
    await mongo.close()


class _LongAfter(SystemClock):
    """A clock that is three days ahead."""

    def now(self) -> datetime:
        return super().now() + timedelta(days=3)


def _samples(registry: Any) -> Any:
    name = "saga_participant_ledger_rows_folded_total"
    return [sample for family in registry.collect() for sample in family.samples if sample.name == name]


async def _both(fleet: Fleet) -> tuple[dict[str, int], dict[str, int]]:
    """Sums and balances as one snapshot has them."""
    database = fleet.database("inventory")

    async def body(session: Session) -> tuple[dict[str, int], dict[str, int]]:
        sums: dict[str, int] = {}
        for row in await find(database["ledger"], {}, limit=10_000, session=session):
            sums[row["key"]] = sums.get(row["key"], 0) + row["amount"]
        products = await find(database["products"], {}, limit=10, session=session)
        return sums, {product["_id"]: product["available"] for product in products}

    return await restarting(lambda: fleet.mongo.transaction(body), SystemClock(), Random(1), TRIES)
