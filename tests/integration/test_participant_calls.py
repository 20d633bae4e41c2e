"""What the services that ship ask of MongoDB: as much for a batch as for one command, whatever its size."""

from collections.abc import AsyncIterator

import pytest
from pymongo import monitoring

from participants.inventory import inventory
from participants.payment import payment
from participants.seed import Customer, Product
from support.ordering import charge, refund, release, reserve
from support.participants import outcome, replies_of
from support.participants_mongo import Fleet, fleet_on


class Heard(monitoring.CommandListener):
    """The calls on databases whose names begin with `prefix`; a commit is none of them."""

    def __init__(self) -> None:
        self.prefix: str | None = None
        self.calls: list[str] = []

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        if self.prefix and event.database_name.startswith(self.prefix):
            self.calls.append(f"{event.command_name} {event.command[event.command_name]}")

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        """Nothing: only what is asked matters."""

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        """Nothing, likewise."""

    def taken(self) -> list[str]:
        """Those since it was last asked."""
        calls, self.calls = self.calls, []
        return calls


_HEARD = Heard()
monitoring.register(_HEARD)


@pytest.fixture
async def fleet(mongo_url: str) -> AsyncIterator[Fleet]:
    async with fleet_on(mongo_url) as fleet:
        yield fleet
        _HEARD.prefix = None


@pytest.mark.parametrize("size", [2, 40])
async def test_a_batch_takes_as_many_calls_as_two_commands(fleet: Fleet, size: int) -> None:
    products = ["boots", "shoes"]
    for name in products:
        await fleet.seeder().product(Product(name, 100, 1))
    service = fleet.instance(inventory)
    await replies_of(service, reserve("first", [("boots", 1)]))  # Looks for its indexes.
    _HEARD.prefix = fleet.prefix
    orders = [reserve(f"s{number}", [(products[number % 2], 1)]) for number in range(size)]
    replies = await replies_of(service, *orders)
    assert _HEARD.taken() == ["find products", "update products", "insert ledger", "insert inbox"]
    replies += await replies_of(service, *(release(f"s{number}") for number in range(size)))
    assert _HEARD.taken() == ["find inbox", "update products", "insert ledger", "insert inbox", "update inbox"]
    assert {outcome(reply) for reply in replies} == {"succeeded"}


async def test_a_command_alone_takes_without_looking_first(fleet: Fleet) -> None:
    await fleet.seeder().product(Product("boots", 1, 1))
    await fleet.seeder().customer(Customer("alice", 1))
    stock, money = fleet.instance(inventory), fleet.instance(payment)
    await replies_of(stock, release("first"))
    await replies_of(money, refund("first"))
    _HEARD.prefix = fleet.prefix
    await replies_of(stock, reserve("s1", [("boots", 1)]))
    await replies_of(money, charge("s1", amount=1))
    assert _HEARD.taken() == [
        *("findAndModify products", "insert ledger", "insert inbox"),
        *("findAndModify accounts", "insert ledger", "insert inbox"),
    ]
    await replies_of(stock, reserve("s2", [("boots", 1)]))
    assert _HEARD.taken() == ["findAndModify products", "find products", "insert inbox"]
