"""A whole run: ground, products and customers, warm-up, load, ends, totals."""

import asyncio
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from random import SystemRandom
from uuid import uuid4

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from adapters.clock import SystemClock
from adapters.logs import configure
from adapters.mongo import Mongo
from adapters.process import run
from cli.bench.ground import Ground, own_databases, own_service, running_service
from cli.bench.in_process import in_this_process
from cli.bench.load import Target, drive, group_size, lane_count
from cli.bench.measure import count_going, ends_of, read_ended, read_own_totals
from cli.bench.over_http import InBatches, OneByOne, connections
from cli.bench.plan import Plan
from cli.bench.report import Result, as_json, as_text
from cli.databases import participant_settings
from cli.expected import explaining
from cli.failure import Exit, Failure
from cli.service import given_key
from cli.terminal import note, show_json
from cli.tool_commands import Via
from orchestrator.settings import Settings
from participants.seed import Seeder

_STRAGGLERS_S = 60.0  #: how long the last ones may take to end once all have been started
_POLL_S = 0.05
_SEEDING = 20  #: products and customers made at once


@explaining
def run_bench(via: Via, plan_of: Callable[[str], Plan], in_flight: int, url: str | None, in_json: bool) -> None:
    """Run and show. Raises `Failure` where it can't, or where the totals don't add up."""
    configure("warning", "auto")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # Clean up then, too.
    plan = plan_of(uuid4().hex[:8])
    with _ground(via, url, plan.run) as ground:
        result = run(_bench(via, plan, in_flight, ground))
    if in_json:
        show_json(as_json(result))
    else:
        print(as_text(result))


@contextmanager
def _ground(via: Via, url: str | None, name: str) -> Iterator[Ground]:
    if via is not Via.ENGINE and (running := running_service(url)):
        yield running
        return
    with own_databases(name) as databases:
        if via is Via.ENGINE:
            yield databases
            return
        with own_service(databases) as ground:
            yield ground


async def _bench(via: Via, plan: Plan, in_flight: int, ground: Ground) -> Result:
    stopping = _interruptible()
    mongo = Mongo.connect(ground.mongo_url)
    try:
        await _seed(mongo, ground, plan)
        async with _target(via, ground, in_flight) as target:
            with _progress(plan) as advance:
                await drive(target, plan.warm_up_orders(), in_flight, stopping.is_set, lambda _: None)
                await _all_ended(mongo, ground, plan.warming)
                if isinstance(target, OneByOne):
                    target.answered_ms.clear()
                await drive(target, plan.orders(), in_flight, stopping.is_set, advance)
                await _all_ended(mongo, ground, plan.measured)
            answered = target.answered_ms if isinstance(target, OneByOne) else []
        return await _result(via, plan, in_flight, mongo, ground, answered, stopping.is_set())
    finally:
        await mongo.close()


def _interruptible() -> asyncio.Event:
    """Set by the first Ctrl-C, or SIGTERM. The second one breaks the run off; its servers are still ended in order."""
    loop, interrupted = asyncio.get_running_loop(), asyncio.Event()

    def ask(number: int) -> None:
        note("\nNo more sagas are started; Ctrl-C again breaks off.")
        interrupted.set()
        loop.remove_signal_handler(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ask, number)
    return interrupted


@asynccontextmanager
async def _target(via: Via, ground: Ground, in_flight: int) -> AsyncIterator[Target]:
    group = group_size(in_flight)
    if ground.url is None:
        assert ground.redis_url is not None, "the engine has databases of its own"
        given = {"mongo_url": ground.mongo_url, "redis_url": ground.redis_url}
        given |= {"database_prefix": ground.database_prefix, "stream_prefix": ground.stream_prefix}
        settings = Settings.load(**given, definitions="sagas.order", max_active=10_000_000)
        async with in_this_process(settings, participant_settings(**given), group) as target:
            yield target
        return
    key = given_key()
    lanes = lane_count(in_flight, group if via is Via.BATCH else OneByOne.group)
    async with connections(ground.url, key, lanes) as idle:
        yield InBatches(idle, group) if via is Via.BATCH else OneByOne(idle)


async def _seed(mongo: Mongo, ground: Ground, plan: Plan) -> None:
    seeder = Seeder(mongo, SystemClock(), SystemRandom(), prefix=ground.database_prefix)
    products, customers = plan.products(), plan.customers()
    for first in range(0, max(len(products), len(customers)), _SEEDING):
        some = slice(first, first + _SEEDING)
        await asyncio.gather(*map(seeder.product, products[some]), *map(seeder.customer, customers[some]))


async def _all_ended(mongo: Mongo, ground: Ground, prefix: str) -> None:
    """The last of each group was waited for; this waits for those that it overtook."""
    end = time.monotonic() + _STRAGGLERS_S
    while going := await count_going(mongo, f"{ground.database_prefix}orchestrator", prefix):
        if time.monotonic() > end:
            raise Failure(f"{going} sagas do not end: `saga doctor` and `saga ls` say more.", Exit.TIMEOUT)
        await asyncio.sleep(_POLL_S)


async def _result(
    via: Via, plan: Plan, in_flight: int, mongo: Mongo, ground: Ground, answered_ms: list[float], interrupted: bool
) -> Result:
    database = f"{ground.database_prefix}orchestrator"
    documents = await read_ended(mongo, database, plan.measured, plan.sagas)
    warming = await read_ended(mongo, database, plan.warming, plan.warm_up)
    totals = await read_own_totals(mongo, ground.database_prefix, plan)
    completed = [document["_id"] for document in (*warming, *documents) if document["status"] == "completed"]
    problems = list(totals.problems)
    if totals.orders != len(completed):
        problems.append(f"{len(completed)} sagas are completed, and {totals.orders} orders were written down")
    if problems:
        raise Failure("\n".join(["The totals don't add up:", *problems[:20]]))
    if not documents:
        raise Failure("Interrupted before anything was measured.")
    expected = {order.id: "completed" if order.completes else "compensated" for order in plan.orders()}
    return Result(
        via=via,
        plan=plan,
        in_flight=in_flight,
        ends=ends_of(documents),
        answered_ms=answered_ms,
        otherwise=sum(document["status"] != expected[document["_id"]] for document in documents),
        interrupted=interrupted,
    )


@contextmanager
def _progress(plan: Plan) -> Iterator[Callable[[int], None]]:
    """A bar on the terminal; nothing in a pipe."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("sagas", total=plan.sagas)
        yield lambda count: bar.advance(task, count)
