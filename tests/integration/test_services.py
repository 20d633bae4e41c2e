"""The services that ship: whatever is ordered and undone, each ledger adds up to its balances."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from random import Random
from typing import Any

import pytest

from adapters.clock import SystemClock
from adapters.errors import Conflict
from adapters.mongo import Session
from participants.context import BatchTransaction, Context
from participants.inventory import PRODUCTS, inventory
from participants.ledger import Change, load, post
from participants.orders import orders
from participants.participant import Service
from participants.payment import payment
from participants.seed import Customer, Product, Seeder
from sagas.messages import CommandMessage
from support.ordering import charge, refund, release, reserve
from support.participants import NOW, message, outcome, replies_of
from support.participants_mongo import Fleet, fleet_on


@pytest.fixture
async def fleet(mongo_url: str) -> AsyncIterator[Fleet]:
    async with fleet_on(mongo_url) as fleet:
        yield fleet


async def assert_stock_adds_up(fleet: Fleet) -> Mapping[str, int]:
    stock = await fleet.balances("inventory", "products", "available")
    assert await fleet.sums("inventory") == stock
    assert min(stock.values()) >= 0
    return stock


async def outcomes(service: Service, *commands: CommandMessage) -> list[str]:
    return [outcome(reply) for reply in await replies_of(service, *commands)]


async def test_a_reservation_takes_stock_at_the_products_price_and_its_release_puts_it_back(fleet: Fleet) -> None:
    await fleet.seeder().everything()
    service = fleet.instance(inventory)
    (reply,) = await replies_of(service, reserve("s1", [("boots", 2), ("last-pair", 1), ("boots", 1)]))
    assert (outcome(reply), reply.data) == ("succeeded", {"amount": 4 * 1999})
    assert await assert_stock_adds_up(fleet) == {"boots": 999_997, "last-pair": 0, "sold-out": 0}
    assert await outcomes(service, release("s1")) == ["succeeded"]
    assert await assert_stock_adds_up(fleet) == {"boots": 1_000_000, "last-pair": 1, "sold-out": 0}


async def test_the_ledger_has_one_row_per_effect_and_product(fleet: Fleet) -> None:
    await fleet.seeder().everything()
    await outcomes(fleet.instance(inventory), reserve("s1", [("boots", 2), ("last-pair", 1)]), release("s1"))
    rows = await fleet.database("inventory")["ledger"].find({"saga_id": "s1"}, {"_id": 0, "at": 0}).to_list(None)
    assert sorted(rows, key=lambda row: (row["kind"], row["key"])) == [
        {"saga_id": "s1", "step": "reserve-stock", "kind": "action", "key": "boots", "amount": -2},
        {"saga_id": "s1", "step": "reserve-stock", "kind": "action", "key": "last-pair", "amount": -1},
        {"saga_id": "s1", "step": "reserve-stock", "kind": "compensation", "key": "boots", "amount": 2},
        {"saga_id": "s1", "step": "reserve-stock", "kind": "compensation", "key": "last-pair", "amount": 1},
    ]


async def test_an_order_that_cannot_be_filled_takes_nothing(fleet: Fleet) -> None:
    await fleet.seeder().everything()
    answers = await outcomes(
        fleet.instance(inventory),
        reserve("s1", [("boots", 1), ("sold-out", 1)]),
        reserve("s2", [("boots", 1), ("shoes", 1)]),
        reserve("s3", [("last-pair", 1)]),
        reserve("s4", [("last-pair", 1)]),
        reserve("s5", [("boots", -1)]),
        reserve("s6", [("boots", 1_000_001)]),
    )
    assert answers == [
        "rejected out-of-stock",
        "rejected unknown-product",
        "succeeded",
        "rejected out-of-stock",
        "rejected invalid-quantity",
        "rejected out-of-stock",
    ]
    assert await assert_stock_adds_up(fleet) == {"boots": 1_000_000, "last-pair": 0, "sold-out": 0}


async def test_an_amount_beyond_every_account_is_refused(fleet: Fleet) -> None:
    await fleet.seeder().product(Product("palace", 10, 2**62))
    assert await outcomes(fleet.instance(inventory), reserve("s1", [("palace", 2)])) == ["rejected amount-too-large"]


async def test_of_a_product_that_all_want_what_some_are_refused_stays(fleet: Fleet) -> None:
    """It is taken for all of them before it is known who may have it."""
    await fleet.seeder().product(Product("palace", 10, 2**62))
    service = fleet.instance(inventory)
    orders = [reserve("s1", [("palace", 1)]), reserve("s2", [("palace", 2)]), reserve("s3", [("palace", -1)])]
    assert await outcomes(service, *orders) == ["succeeded", "rejected amount-too-large", "rejected invalid-quantity"]
    assert await assert_stock_adds_up(fleet) == {"palace": 9}
    assert await outcomes(service, reserve("s4", [("palace", 2**62), ("palace", 2**62)])) == ["rejected out-of-stock"]
    assert await outcomes(service, reserve("s5", [("palace", 5), ("palace", 5)])) == ["rejected out-of-stock"]
    assert await assert_stock_adds_up(fleet) == {"palace": 9}


async def test_a_charge_takes_money_and_its_refund_gives_it_back(fleet: Fleet) -> None:
    await fleet.seeder().everything()
    service = fleet.instance(payment)
    answers = await outcomes(service, charge("s1"), charge("s2", "broke"), charge("s3", "bob"), refund("s2"))
    assert answers == ["succeeded", "rejected insufficient-funds", "rejected unknown-customer", "succeeded"]
    assert await fleet.sums("payment") == {"alice": 10**9 - 1999, "broke": 0}
    assert await outcomes(service, refund("s1")) == ["succeeded"]
    balances = await fleet.balances("payment", "accounts", "balance")
    assert balances == await fleet.sums("payment") == {"alice": 10**9, "broke": 0}


@pytest.mark.parametrize(("given", "confirmed"), [("A-1", "A-1"), (None, "s1")])
async def test_an_order_is_confirmed_under_the_clients_id_or_the_sagas(
    fleet: Fleet, given: str | None, confirmed: str
) -> None:
    data: dict[str, Any] = {"customer_id": "alice", "items": [{"product_id": "boots", "quantity": 1}], "amount": 1999}
    command = message("s1/confirm/action", "orders.confirm-order", data | ({"order_id": given} if given else {}))
    (reply,) = await replies_of(fleet.instance(orders), command)
    assert (outcome(reply), reply.data) == ("succeeded", {"order_id": confirmed})
    document = await fleet.database("orders")["orders"].find_one({"_id": "s1"})
    assert document["order_id"] == confirmed
    assert await fleet.sums("orders") == {confirmed: 1}


async def test_a_thousand_orders_for_a_hundred_pairs_get_exactly_a_hundred(fleet: Fleet) -> None:
    await fleet.seeder().product(Product("hot", 100, 1))
    instances = [fleet.instance(inventory) for _ in range(2)]
    batches = [[reserve(f"s{number}", [("hot", 1)]) for number in range(first, 1_000, 10)] for first in range(10)]
    delivered = [outcomes(instances[number % 2], *batch) for number, batch in enumerate(batches)]
    answers = Counter(answer for batch in await asyncio.gather(*delivered) for answer in batch)
    assert answers == {"succeeded": 100, "rejected out-of-stock": 900}
    assert await assert_stock_adds_up(fleet) == {"hot": 0}


async def test_what_belongs_to_nobody_any_more_is_not_put_back(fleet: Fleet) -> None:
    """A row without its balance would make the two differ for ever."""
    await fleet.seeder().everything()
    stock, accounts = fleet.instance(inventory), fleet.instance(payment)
    await outcomes(stock, reserve("s1"))
    await outcomes(accounts, charge("s1"))
    await fleet.database("inventory")["products"].delete_one({"_id": "boots"})
    await fleet.database("payment")["accounts"].delete_one({"_id": "alice"})
    before = (await fleet.sums("inventory"), await fleet.sums("payment"))
    assert await outcomes(stock, release("s1")) == ["failed conflict"]
    assert await outcomes(accounts, refund("s1")) == ["failed conflict"]
    assert (await fleet.sums("inventory"), await fleet.sums("payment")) == before


async def test_what_others_took_since_it_was_loaded_is_not_taken_again(fleet: Fleet) -> None:
    await fleet.seeder().product(Product("last", 1, 1))
    other = fleet.instance(inventory)

    async def body(session: Session) -> None:
        late = reserve("late", [("last", 1)])
        tx = BatchTransaction(session, fleet.database("inventory"), NOW, [Context.of(late, NOW)])
        assert (await load(tx, "products", ["last"]))["last"]["available"] == 1
        assert await outcomes(other, reserve("s1", [("last", 1)])) == ["succeeded"]
        await post(tx, [Change(tx.contexts[0], "last", -1)], PRODUCTS)

    with pytest.raises(Conflict):
        await fleet.mongo.transaction(body)
    assert await assert_stock_adds_up(fleet) == {"last": 0}


@pytest.mark.parametrize("seed", range(3))
async def test_after_any_mix_of_orders_and_releases_every_ledger_adds_up(fleet: Fleet, seed: int) -> None:
    """Two instances, repeats, compensations before and beside their actions."""
    random = Random(seed)
    for name in "abc":
        await fleet.seeder().product(Product(name, 30, 5))
    sagas = [f"s{number}" for number in range(120)]
    wanted = {saga: [(random.choice("abcd"), random.randint(1, 3)) for _ in range(2)] for saga in sagas}
    undone = set(random.sample(sagas, 60))
    commands = [reserve(saga, wanted[saga]) for saga in sagas for _ in range(2)] + [release(saga) for saga in undone]
    random.shuffle(commands)
    instances = [fleet.instance(inventory) for _ in range(2)]
    batches = [commands[first : first + 25] for first in range(0, len(commands), 25)]
    answers = await asyncio.gather(*(outcomes(instances[n % 2], *batch) for n, batch in enumerate(batches)))
    assert not [answer for batch in answers for answer in batch if answer.startswith("failed")]
    await assert_stock_adds_up(fleet)
    rows = await fleet.database("inventory")["ledger"].find({"saga_id": {"$exists": True}}).to_list(None)
    left: Counter[str] = Counter()
    for row in rows:
        left[row["saga_id"]] += row["amount"]
    assert {left[saga] for saga in undone} == {0}
    assert all(left[saga] < 0 for saga in {row["saga_id"] for row in rows} - undone)


async def test_an_action_and_its_compensation_at_once_never_move_stock(fleet: Fleet) -> None:
    await fleet.seeder().product(Product("boots", 1_000, 1))
    one, other = fleet.instance(inventory), fleet.instance(inventory)
    for number in range(30):
        await asyncio.gather(outcomes(one, reserve(f"s{number}")), outcomes(other, release(f"s{number}")))
    assert await assert_stock_adds_up(fleet) == {"boots": 1_000}


async def test_seeding_again_sets_the_stock_by_an_opening_row_of_the_difference(fleet: Fleet) -> None:
    seeder = fleet.seeder()
    await seeder.product(Product("boots", 10, 1999))
    await outcomes(fleet.instance(inventory), reserve("s1", [("boots", 4)]))
    for _ in range(2):
        await seeder.product(Product("boots", 10, 2999))
    opening = await fleet.database("inventory")["ledger"].find({"kind": "opening"}).to_list(None)
    assert [(row["key"], row["amount"], "saga_id" in row) for row in opening] == [
        ("boots", 10, False),
        ("boots", 4, False),
    ]
    assert await assert_stock_adds_up(fleet) == {"boots": 10}
    assert (await fleet.balances("inventory", "products", "price")) == {"boots": 2999}


async def test_seeding_that_others_get_in_the_way_of_leaves_one_opening_row(fleet: Fleet) -> None:
    await fleet.seeder().product(Product("boots", 10, 1999))
    again = asyncio.Event()

    class Telling(SystemClock):
        async def sleep(self, seconds: float) -> None:
            again.set()  # The first try has met a conflict.
            await super().sleep(seconds)

    async def body(session: Session) -> asyncio.Task[None]:
        tx = BatchTransaction(session, fleet.database("inventory"), NOW, [Context.of(reserve("s1"), NOW)])
        await post(tx, [Change(tx.contexts[0], "boots", -1)], PRODUCTS)
        seeder = Seeder(fleet.mongo, Telling(), Random(0), prefix=fleet.prefix)
        seeding = asyncio.create_task(seeder.product(Product("boots", 20, 1999)))
        await again.wait()
        return seeding

    await (await fleet.mongo.transaction(body))
    assert await assert_stock_adds_up(fleet) == {"boots": 20}


async def test_seeding_everything_twice_changes_nothing(fleet: Fleet) -> None:
    await fleet.seeder().customer(Customer("carol", 5))
    for _ in range(2):
        await fleet.seeder().everything()
    assert await fleet.database("payment")["ledger"].count_documents({}) == 3
    assert await fleet.sums("payment") == {"alice": 10**9, "broke": 0, "carol": 5}
    assert await assert_stock_adds_up(fleet) == {"boots": 1_000_000, "last-pair": 1, "sold-out": 0}


async def test_nothing_is_seeded_below_zero(fleet: Fleet) -> None:
    with pytest.raises(ValueError, match="below zero"):
        await fleet.seeder().product(Product("boots", -1, 1))
    with pytest.raises(ValueError, match="below zero"):
        await fleet.seeder().customer(Customer("alice", -1))
