"""`saga demo`: one order of each kind through real services, and totals that add up. Leaves nothing behind."""

import asyncio
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.text import Text

from adapters.logs import configure
from adapters.mongo import Mongo
from adapters.process import run
from adapters.servers import Servers
from adapters.servers.process import free_port
from cli.databases import Databases
from cli.expected import explaining
from cli.failure import Failure
from cli.one_process import services
from cli.render import saga_tree
from cli.seeding import seed_what_is_missing
from cli.terminal import note, show
from cli.totals import Totals, read_totals
from client import SyncSagaClient
from participants.app import SHIPPED
from sagas.order import PlacedItem, PlaceOrder, order

_WAIT_S = 20.0


@dataclass(frozen=True, slots=True)
class _Order:
    """An order, and how its saga must end."""

    title: str
    customer: str
    product: str
    ends: str

    @property
    def input(self) -> PlaceOrder:
        return PlaceOrder(customer_id=self.customer, items=[PlacedItem(product_id=self.product, quantity=1)])


_ORDERS = (
    _Order("alice orders boots: every step succeeds", "alice", "boots", "completed"),
    _Order(
        "alice orders what is sold out: nothing has been done, nothing is undone", "alice", "sold-out", "compensated"
    ),
    _Order("broke orders boots, the payment is declined: the stock is released", "broke", "boots", "compensated"),
)


@explaining
def run_demo() -> None:
    """The whole demo. Raises `Failure` where a saga or a total is not as it must be."""
    configure("warning", "auto")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # Clean up then, too.
    with _servers() as where:
        right = run(_demo(where))
    if not right:
        raise Failure("Something above is not as it should be.")


@contextmanager
def _servers() -> Iterator[Databases]:
    with tempfile.TemporaryDirectory(prefix="saga-demo-", ignore_cleanup_errors=True) as directory:
        servers = Servers(Path(directory))
        note("Starting MongoDB, Redis, the orchestrator and three participants …")
        servers.start()
        try:
            yield Databases(servers.mongo_url, servers.redis_url, own_mongo=True, own_redis=True)
        finally:
            servers.mongo.kill()  # Nothing of its data is wanted any more.
            servers.redis.kill()


async def _demo(where: Databases) -> bool:
    settings = where.settings(http_port=free_port(), log_level="warning", definitions="sagas.order")
    await seed_what_is_missing(where.participant_settings)
    async with services(settings, where, list(SHIPPED.values())) as url:
        ended_well = await asyncio.to_thread(_place_orders, url)
    mongo = Mongo.connect(where.mongo_url)
    try:
        totals = await read_totals(mongo, settings.database_prefix)
    finally:
        await mongo.close()
    return _show_totals(totals) and ended_well


def _place_orders(url: str) -> bool:
    """Place each order over HTTP and show its saga; whether all have ended as they must."""
    right = True
    with SyncSagaClient(url) as client:
        for one in _ORDERS:
            saga = client.start(order, one.input, wait_s=_WAIT_S)
            show(Text(f"\n{one.title}", "bold"))
            show(saga_tree(saga))
            if saga.status != one.ends:
                note(f"It should have ended as {one.ends}.")
                right = False
    return right


def _show_totals(totals: Totals) -> bool:
    show(Text("\nWhat the ledgers and balances say", "bold"))
    show(totals.table())
    for problem in totals.problems:
        note(problem)
    if not totals.problems:
        show(f"\nThe totals add up: {totals.orders} order paid and delivered from stock, the others left no trace.")
    return not totals.problems
