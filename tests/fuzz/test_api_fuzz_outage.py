"""The same requests while a server is really away: a problem that says when to come back, and never an accident."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from adapters.servers import MongoServer, RedisServer
from orchestrator.app import Orchestrator
from support.fuzzing import SOAK, Watched, fuzz, served
from support.services import settings_for

EXAMPLES = 200 if SOAK else 1
#: That an answer is a 503 is what this is about; that it is no other 5xx is asserted below.
CHECKS = ("--checks", "all", "--exclude-checks", "not_a_server_error,positive_data_acceptance")
PHASES = ("--phases", "examples,coverage,fuzzing,stateful" if SOAK else "fuzzing")
#: Fuzzers side by side: most answers wait until a server is known to be away.
SHARES = (("sagas",), ("operating",), ("dead letters",), ("health", "definitions", "documents"))
SEED = 20261126


@asynccontextmanager
async def orchestrating(mongo: MongoServer, redis: RedisServer) -> AsyncIterator[tuple[str, Watched]]:
    orchestrator = Orchestrator(settings_for(mongo.url, redis.url, wait_max_s=0.1))
    watched = Watched(orchestrator.app)
    await orchestrator.start()
    try:
        async with served(watched) as url:
            yield url, watched
    finally:
        await orchestrator.stop(2.0)


async def attack(url: str, watched: Watched) -> None:
    watched.statuses.clear()
    many = (*CHECKS, *PHASES, "--max-examples", str(EXAMPLES))
    shares = [[part for tag in tags for part in ("--include-tag", tag)] for tags in SHARES]
    await asyncio.gather(*(fuzz(url, *many, *share, seed=SEED) for share in shares))
    sys.stdout.write(f"answers: {dict(watched.statuses)}\n")
    assert watched.leaks == []
    assert {status for status in watched.statuses if status >= 500} == {503}


@pytest.mark.slow
@pytest.mark.timeout(3_600 if SOAK else 600)
async def test_while_mongodb_is_away(own_mongo: MongoServer, own_redis: RedisServer) -> None:
    async with orchestrating(own_mongo, own_redis) as (url, watched):
        own_mongo.stop()
        await attack(url, watched)


@pytest.mark.slow
@pytest.mark.timeout(3_600 if SOAK else 600)
async def test_while_redis_is_away(own_mongo: MongoServer, own_redis: RedisServer) -> None:
    async with orchestrating(own_mongo, own_redis) as (url, watched):
        own_redis.stop()
        await attack(url, watched)
