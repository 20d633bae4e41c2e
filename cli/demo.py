"""`saga demo`: one order of each kind through real services, and totals that add up. Leaves nothing behind."""

import asyncio
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer
import uvloop
from rich.text import Text

from adapters.mongo import Mongo
from adapters.servers import Servers
from adapters.servers.process import free_port
from cli.client import SagaClient
from cli.databases import Databases
from cli.failure import Exit
from cli.one_process import services
from cli.render import saga_tree
from cli.seeding import seed_what_is_missing
from cli.stopping import Stopping
from cli.terminal import note, show
from cli.totals import Totals, read_totals
from orchestrator.logs import configure
from participants.app import SHIPPED

Json = dict[str, Any]

_WAIT_S = 20.0


@dataclass(frozen=True, slots=True)
class _Order:
    """An order, and how its saga must end."""

    title: str
    customer: str
    product: str
    ends: str

    @property
    def data(self) -> Json:
        return {"customer_id": self.customer, "items": [{"product_id": self.product, "quantity": 1}]}


_ORDERS = (
    _Order("alice orders boots: every step succeeds", "alice", "boots", "completed"),
    _Order("alice orders what is sold out: nothing has been done, nothing is undone", "alice", "sold-out", "compensated"),
    _Order("broke orders boots, the payment is declined: the stock is released", "broke", "boots", "compensated"),
)


def demo() -> None:
    """Start all services, place an order of each kind, show each saga's steps and the totals.

    Uses real MongoDB and Redis servers of its own in a temporary directory, and leaves nothing behind.
    """
    configure("warning", "auto")
    started = time.monotonic()
    with _servers() as where:
        note(f"MongoDB and Redis run ({time.monotonic() - started:.1f} s).")
        right = uvloop.run(_demo(where))
    if not right:
        raise typer.Exit(Exit.OTHER)


@contextmanager
def _servers() -> Iterator[Databases]:
    with tempfile.TemporaryDirectory(prefix="saga-demo-", ignore_cleanup_errors=True) as directory:
        servers = Servers(Path(directory))
        servers.start()
        try:
            yield Databases(servers.mongo_url, servers.redis_url, own_mongo=True, own_redis=True)
        finally:
            servers.mongo.kill()  # Nothing of its data is wanted any more.
            servers.redis.kill()


async def _demo(where: Databases) -> bool:
    stopping = Stopping()
    settings = where.settings(http_port=free_port(), log_level="warning")
    await seed_what_is_missing(where.participant_settings)
    async with services(settings, where, list(SHIPPED.values())) as url:
        placing = asyncio.create_task(asyncio.to_thread(_place, url))
        right = await placing
    totals = await _totals(where, settings.database_prefix)
    show(totals.table())
    return right and not totals.problems
