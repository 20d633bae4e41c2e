"""A process that starts sagas by events and is killed right after they are stored, before anything is acknowledged.

python dies_before_ack.py MONGO_URL REDIS_URL DATABASE_PREFIX STREAM_PREFIX
"""

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from random import Random

from adapters.bus import Delivery, Foreign, Subscription, Verdict
from adapters.clock import SystemClock
from adapters.streams.names import Streams
from adapters.streams.redis_bus import RedisBus
from orchestrator.app import Orchestrator
from orchestrator.places import MongoPlaces
from orchestrator.settings import Settings
from orchestrator.start_events import StartEvents
from support.buses import FAST
from support.start_events import STREAM, thanks


async def main(mongo_url: str, redis_url: str, database_prefix: str, stream_prefix: str) -> None:
    settings = Settings.load(
        mongo_url=mongo_url,
        redis_url=redis_url,
        database_prefix=database_prefix,
        stream_prefix=stream_prefix,
        definitions="support.start_events",
    )
    parts = Orchestrator(settings)  # Never started: only its parts that store sagas are used.
    parts.starter.closed = None
    starting = StartEvents(STREAM, [thanks], parts.starter, parts.admission)

    async def dying(deliveries: Sequence[Delivery]) -> Sequence[Verdict]:
        await starting(deliveries)
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError("not reached")

    bus = RedisBus(redis_url, clock=SystemClock(), rng=Random(), streams=Streams(stream_prefix), settings=FAST)
    places = MongoPlaces(parts.mongo, settings.database, bus.streams.starters, SystemClock())
    foreign = Foreign(True, places, starting.room)
    bus.subscribe(Subscription(STREAM, bus.streams.starters, dying, foreign=foreign))
    await bus.start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
