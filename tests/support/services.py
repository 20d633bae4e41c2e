"""A whole orchestrator with its HTTP server, and the shipped participants, in one loop on real servers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random
from typing import Any
from uuid import uuid4

import httpx

from adapters.clock import SystemClock
from adapters.mongo import Mongo
from adapters.tracing.port import Tracer
from orchestrator.app import serve
from orchestrator.settings import Settings
from participants.app import SHIPPED, build
from participants.participant import Participant
from participants.seed import Seeder
from participants.settings import ParticipantSettings

Json = dict[str, Any]

WITHIN_S = 20.0  #: how long anything here may take


def settings_for(mongo_url: str, redis_url: str, **given: Any) -> Settings:
    """Settings under a prefix of this test's own, on any free port."""
    name = f"t{uuid4().hex[:8]}"
    urls = {"mongo_url": mongo_url, "redis_url": redis_url}
    return Settings.load(**urls, http_port=0, database_prefix=f"{name}_", stream_prefix=f"{name}.", **given)


@asynccontextmanager
async def serving(settings: Settings, tracer: Tracer | None = None) -> AsyncIterator[httpx.AsyncClient]:
    """The orchestrator, served; a client of it."""
    stop = asyncio.Event()
    url: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    served = asyncio.create_task(serve(settings, ready=url.set_result, stop=stop, tracer=tracer))
    await asyncio.wait((url, served), timeout=WITHIN_S, return_when=asyncio.FIRST_COMPLETED)
    if served.done():
        await served
    try:
        async with httpx.AsyncClient(base_url=url.result(), timeout=WITHIN_S, trust_env=False) as client:
            yield client
    finally:
        stop.set()
        await asyncio.wait_for(served, WITHIN_S)


@asynccontextmanager
async def participating(settings: Settings, tracer: Tracer | None = None, *others: Participant) -> AsyncIterator[None]:
    """The three participants, with something to sell and somebody to pay; `others` replace those of their names."""
    mongo = Mongo.connect(settings.mongo_url)
    await Seeder(mongo, SystemClock(), Random(0), prefix=settings.database_prefix).everything()
    running = build(
        *(SHIPPED | {each.name: each for each in others}).values(),
        settings=ParticipantSettings(
            mongo_url=settings.mongo_url,
            redis_url=settings.redis_url,
            database_prefix=settings.database_prefix,
            stream_prefix=settings.stream_prefix,
            mongo_driver=settings.mongo_driver,
        ),
        tracer=tracer,
    )
    await running.start()
    try:
        yield
    finally:
        await running.stop()
        await mongo.close()


def ordering(customer: str = "alice", product: str = "boots", **fields: Any) -> Json:
    """The body that starts an order."""
    data = {"customer_id": customer, "items": [{"product_id": product, "quantity": 1}]}
    return {"saga": "order", "data": data, **fields}


async def is_ready(client: httpx.AsyncClient) -> bool:
    """Whether `/readyz` is green."""
    return (await client.get("/readyz")).status_code == 200
