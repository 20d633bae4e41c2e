"""One measurement on its ground: products and customers, warm-up, load, ends, totals."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import SystemRandom

from adapters.clock import SystemClock
from adapters.mongo import Document, Mongo
from cli.bench.ground import Ground
from cli.bench.in_process import InProcess, in_this_process
from cli.bench.load import drive, group_size
from cli.bench.measure import acceptance, count_going, ends_of, read_ended, read_own_totals
from cli.bench.open_loop import offer
from cli.bench.over_http import InBatches, Lanes, OneByOne
from cli.bench.plan import Plan
from cli.bench.report import Load, Result
from cli.databases import participant_settings
from cli.failure import Exit, Failure
from cli.service import given_key
from cli.tool_commands import Via
from orchestrator.settings import Settings
from participants.seed import Seeder

_STRAGGLERS_S = 60.0  #: how long the last ones may take to end once all have been started
_POLL_S = 0.05
_SEEDING = 20  #: products and customers made at once


@dataclass(frozen=True, slots=True)
class Watcher:
    """Who looks on."""

    stopped: Callable[[], bool] = lambda: False  #: no more sagas are to be started
    advance: Callable[[int], None] = lambda _: None  #: told of sagas that have ended or, with a rate, been accepted
    around: Callable[[], AbstractContextManager[object]] = nullcontext  #: entered for what is measured, and no more


@dataclass(frozen=True, slots=True)
class _Taken:
    """What was seen while measuring, apart from what stands in the documents."""

    first_due: datetime | None
    cpu_s: float
    wall_s: float


async def measure(load: Load, plan: Plan, ground: Ground, watcher: Watcher) -> Result:
    """Measure. Raises `Failure`, also where the totals don't add up afterwards."""
    mongo = Mongo.connect(ground.mongo_url)
    try:
        await _seed(mongo, ground, plan)
        async with _target(load, ground) as target:
            await drive(target, plan.warm_up_orders(), load.in_flight, watcher.stopped, lambda _: None)
            await _all_ended(mongo, ground, plan.warming)
            if isinstance(target, OneByOne):
                target.answered_ms.clear()
            taken = await _load(load, plan, target, mongo, ground, watcher)
        answered = target.answered_ms if isinstance(target, OneByOne) else []
        documents = await _documents(mongo, ground, plan)
        return _result(load, plan, taken, documents, answered, watcher.stopped())
    finally:
        await mongo.close()


async def _load(
    load: Load, plan: Plan, target: InProcess | InBatches | OneByOne, mongo: Mongo, ground: Ground, watcher: Watcher
) -> _Taken:
    first_due = None
    with watcher.around():
        wall, cpu = time.perf_counter(), time.process_time()
        if load.rate is None or isinstance(target, InProcess):
            await drive(target, plan.orders(), load.in_flight, watcher.stopped, watcher.advance)
        else:
            first_due = await offer(target, plan.orders(), load.rate, watcher.stopped, watcher.advance)
        await _all_ended(mongo, ground, plan.measured)
        return _Taken(first_due, time.process_time() - cpu, time.perf_counter() - wall)


@asynccontextmanager
async def _target(load: Load, ground: Ground) -> AsyncIterator[InProcess | InBatches | OneByOne]:
    group = group_size(load.in_flight)
    if load.via is Via.ENGINE:
        assert ground.redis_url is not None, "the engine has databases of its own"
        given = {"mongo_url": ground.mongo_url, "redis_url": ground.redis_url}
        given |= {"database_prefix": ground.database_prefix, "stream_prefix": ground.stream_prefix}
        settings = Settings.load(**given, definitions="sagas.order", max_active=10_000_000)
        async with in_this_process(settings, participant_settings(**given), group) as target:
            yield target
        return
    lanes = Lanes(ground.urls, given_key())
    try:
        yield InBatches(lanes, group) if load.via is Via.BATCH else OneByOne(lanes)
    finally:
        lanes.close()


async def _seed(mongo: Mongo, ground: Ground, plan: Plan) -> None:
    seeder = Seeder(mongo, SystemClock(), SystemRandom(), prefix=ground.database_prefix)
    products, customers = plan.products(), plan.customers()
    for first in range(0, max(len(products), len(customers)), _SEEDING):
        some = slice(first, first + _SEEDING)
        await asyncio.gather(*map(seeder.product, products[some]), *map(seeder.customer, customers[some]))


async def _all_ended(mongo: Mongo, ground: Ground, prefix: str) -> None:
    """The last of each group was waited for, or none; this waits for all."""
    end = time.monotonic() + _STRAGGLERS_S
    while going := await count_going(mongo, f"{ground.database_prefix}orchestrator", prefix):
        if time.monotonic() > end:
            raise Failure(f"{going} sagas do not end: `saga doctor` and `saga ls` say more.", Exit.TIMEOUT)
        await asyncio.sleep(_POLL_S)


async def _documents(mongo: Mongo, ground: Ground, plan: Plan) -> list[Document]:
    """The measured sagas, once the totals are known to add up."""
    database = f"{ground.database_prefix}orchestrator"
    documents = await read_ended(mongo, database, plan.measured, plan.sagas)
    warming = await read_ended(mongo, database, plan.warming, plan.warm_up)
    totals = await read_own_totals(mongo, ground.database_prefix, plan)
    completed = sum(document["status"] == "completed" for document in (*warming, *documents))
    problems = list(totals.problems)
    if totals.orders != completed:
        problems.append(f"{completed} sagas are completed, and {totals.orders} orders were written down")
    if problems:
        raise Failure("\n".join(["The totals don't add up:", *problems[:20]]))
    if not documents:
        raise Failure("Interrupted before anything was measured.")
    return documents


def _result(
    load: Load, plan: Plan, taken: _Taken, documents: list[Document], answered_ms: list[float], interrupted: bool
) -> Result:
    expected = {order.id: "completed" if order.completes else "compensated" for order in plan.orders()}

    def due(document: Document) -> datetime:
        if taken.first_due is None or load.rate is None:
            return acceptance(document)
        return taken.first_due + timedelta(seconds=plan.number(document["_id"]) / load.rate)

    return Result(
        load=load,
        plan=plan,
        ends=ends_of(documents, due),
        cpu_s=taken.cpu_s,
        wall_s=taken.wall_s,
        answered_ms=answered_ms,
        otherwise=sum(document["status"] != expected[document["_id"]] for document in documents),
        interrupted=interrupted,
    )
