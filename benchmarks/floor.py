"""The floor: what bare drivers need for the writes that an order's saga can't do without. Nothing is decided or read.

python -m benchmarks.floor --mongo-url … --redis-url … [--sagas 6000] [--json]

Per saga: 1 insert; 3 guarded updates, one transaction per batch; 3 times {inbox row, ledger row, balance}, one
transaction per batch; 6 XADDs of commands and replies, and 4 of events. One process, batches of 200, 400 sagas in
flight, uvloop, hiredis, majority and journaled. Nothing is read from a stream, acknowledged, loaded or served: a
system has that to do as well.
"""

import argparse
import asyncio
import itertools
import json
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from uuid import uuid4

import uvloop
from motor.motor_asyncio import AsyncIOMotorClient, AsyncIOMotorClientSession
from pymongo import ASCENDING, DESCENDING, IndexModel, UpdateOne
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern
from redis.asyncio import Redis

from benchmarks.floor_writes import (
    PARTICIPANTS,
    STEPS,
    Document,
    advance,
    command,
    event,
    inbox_row,
    ledger_row,
    reply,
    saga,
    saga_id,
)

BATCH = 200
IN_FLIGHT = 400
KEYS = 100  #: products, customers: whose balances change
MAJORITY = WriteConcern("majority", j=True)


@dataclass(frozen=True, slots=True)
class Result:
    """What a run came to."""

    sagas: int
    seconds: float
    sagas_per_s: float
    cpu_ms: float  #: of this process, per saga


class Floor:
    """One run on databases and streams of its own."""

    def __init__(self, mongo: AsyncIOMotorClient[Document], redis: Redis, run: str) -> None:
        self._mongo = mongo
        self._redis = redis
        self._run = run
        self._numbers = itertools.count()
        self._orchestrator = mongo.get_database(f"floor_{run}", write_concern=MAJORITY)
        self._participants = [
            mongo.get_database(f"floor_{run}_{name}", write_concern=MAJORITY) for name in PARTICIPANTS
        ]
        self._turns = [asyncio.Lock() for _ in self._participants]  # Two that change the same balances would conflict.

    async def prepare(self) -> None:
        """Collections, indexes and balances."""
        newest = [("created_at", DESCENDING), ("_id", DESCENDING)]
        await self._orchestrator.sagas.create_indexes(
            [
                IndexModel(newest),
                IndexModel([("status", ASCENDING), *newest]),
                IndexModel([("wake_at", ASCENDING)], partialFilterExpression={"wake_at": {"$exists": True}}),
            ]
        )
        for database in self._participants:
            await database.inbox.create_index([("expire_at", ASCENDING)], expireAfterSeconds=0)
            await database.ledger.create_index([("saga_id", ASCENDING), ("step", ASCENDING)], unique=True)
            await database.balances.insert_many([{"_id": key, "left": 10**9} for key in range(KEYS)])

    async def remove(self) -> None:
        """Whatever it has written."""
        for database in (self._orchestrator, *self._participants):
            await self._mongo.drop_database(database.name)
        keys = [key async for key in self._redis.scan_iter(match=f"floor.{self._run}.*")]
        if keys:
            await self._redis.delete(*keys)

    async def drive(self, sagas: int) -> None:
        """That many sagas: as many batches at a time as are to be in flight."""
        batches = iter([BATCH] * (sagas // BATCH))

        async def lane() -> None:
            for size in batches:
                await self._batch([saga_id(self._run, next(self._numbers)) for _ in range(size)])

        await asyncio.gather(*(lane() for _ in range(IN_FLIGHT // BATCH)))

    async def _batch(self, ids: Sequence[str]) -> None:
        now = datetime.now(UTC)
        await self._orchestrator.sagas.insert_many([saga(one, now) for one in ids], ordered=False)
        await self._announce(0, ids)
        for step in range(len(STEPS)):
            await self._execute(step, ids, now)
            await self._add({f"replies.{step}": [reply(one, step) for one in ids]})
            await self._advance(step, ids, now)
            await self._announce(step + 1, ids)

    async def _execute(self, step: int, ids: Sequence[str], now: datetime) -> None:
        """What a participant has to write."""
        database = self._participants[step]
        sums = [UpdateOne({"_id": key}, {"$inc": {"left": -len(ids) // KEYS}}) for key in range(KEYS)]
        async with self._turns[step], self._transaction() as session:
            await database.balances.bulk_write(sums, ordered=False, session=session)
            await database.ledger.insert_many([ledger_row(one, step, now) for one in ids], session=session)
            await database.inbox.insert_many([inbox_row(one, step, now) for one in ids], session=session)

    async def _advance(self, step: int, ids: Sequence[str], now: datetime) -> None:
        """What the orchestrator has to write."""
        updates = [UpdateOne({"_id": one, "revision": step + 1}, advance(one, step, now)) for one in ids]
        async with self._transaction() as session:
            await self._orchestrator.sagas.bulk_write(updates, session=session)

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[AsyncIOMotorClientSession]:
        async with (
            await self._mongo.start_session() as session,
            session.start_transaction(ReadConcern("snapshot"), MAJORITY),
        ):
            yield session

    async def _announce(self, done: int, ids: Sequence[str]) -> None:
        """After so many steps: what has happened, and the next command."""
        entries = {"events": [event(one, done) for one in ids]}
        if done < len(STEPS):
            entries[f"commands.{done}"] = [command(one, done) for one in ids]
        await self._add(entries)

    async def _add(self, entries: Mapping[str, Sequence[Sequence[str]]]) -> None:
        """By stream, in one go."""
        pipeline = self._redis.pipeline(transaction=False)
        for name, each in entries.items():
            for fields in each:
                pipeline.execute_command("XADD", f"floor.{self._run}.{name}", "*", *fields)
        await pipeline.execute()


async def measure(mongo_url: str, redis_url: str, sagas: int) -> Result:
    """Warm up with two batches, then that many sagas, in whole batches."""
    sagas = max(1, sagas // BATCH) * BATCH
    mongo: AsyncIOMotorClient[Document] = AsyncIOMotorClient(mongo_url)
    redis = Redis.from_url(redis_url)
    floor = Floor(mongo, redis, uuid4().hex[:8])
    try:
        await floor.prepare()
        await floor.drive(2 * BATCH)
        begun, cpu = time.perf_counter(), time.process_time()
        await floor.drive(sagas)
        seconds, cpu = time.perf_counter() - begun, time.process_time() - cpu
        return Result(sagas, round(seconds, 3), round(sagas / seconds, 1), round(cpu * 1_000 / sagas, 3))
    finally:
        await floor.remove()
        await redis.aclose()
        mongo.close()


def main() -> None:
    """Measure once, and say it."""
    parser = argparse.ArgumentParser(description="What bare drivers need for the writes of an order's saga.")
    parser.add_argument("--mongo-url", required=True)
    parser.add_argument("--redis-url", required=True)
    parser.add_argument("--sagas", type=int, default=6_000, help=f"in batches of {BATCH}")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    result = uvloop.run(measure(given.mongo_url, given.redis_url, given.sagas))
    if given.json:
        print(json.dumps(asdict(result)))
    else:
        print(f"{result.sagas_per_s:,.0f} sagas/s, {result.cpu_ms:.2f} ms of this process for each")


if __name__ == "__main__":
    main()
