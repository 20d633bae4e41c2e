"""Gathers every fact, all at once, each within its time: one that is not to be had hides no other."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from adapters.clock import Clock
from adapters.facts import BAD_URL, Fact, Unknown, attempt
from adapters.mongo import IndexModel, Mongo, missing_indexes
from adapters.mongo_health import MongoFacts, look_at_mongo
from adapters.mongo_health import nothing_known as mongo_unknown
from adapters.streams.address import BadAddress, streams_at
from adapters.streams.health import RedisFacts, look_at_redis
from adapters.streams.health import nothing_known as redis_unknown
from adapters.urls import masked
from cli.doctor.environment import Served, ServiceFacts
from cli.doctor.here import NO_DATABASE, Here
from client.addressing import authorization
from orchestrator import rights as orchestrator_rights
from orchestrator.health import SagaFacts, look_at_sagas
from orchestrator.health import nothing_known as sagas_unknown
from orchestrator.metrics.sampler import watched
from participants import rights as participants_rights
from participants.participant import Participant
from sagas import Definitions

#: By database and collection, in the order in which they are made.
Indexes = Mapping[str, Mapping[str, Sequence[IndexModel]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class There:
    """What the servers and the service say."""

    mongo: MongoFacts
    redis: RedisFacts
    sagas: SagaFacts
    indexes: Fact[Mapping[str, Sequence[str] | None]]  #: by collection, those that are missing
    service: ServiceFacts


async def look_there(
    here: Here, url: str | None, key: str | None, participants: Sequence[Participant], clock: Clock, within_s: float
) -> There:
    """Ask everybody."""
    mongo, redis, (sagas, indexes), service = await asyncio.gather(
        _mongo(here, clock, within_s),
        _redis(here, clock, within_s),
        _collections(here, participants, within_s),
        _service(url, key, within_s),
    )
    return There(mongo=mongo, redis=redis, sagas=sagas, indexes=indexes, service=service)


def expected_indexes(here: Here, participants: Sequence[Participant]) -> Indexes:
    """The indexes as the services themselves make them."""
    prefix = here.settings.database_prefix
    theirs = {f"{prefix}{one.name}": participants_rights.indexes(one, here.participants) for one in participants}
    return {here.settings.database: orchestrator_rights.indexes(here.settings), **theirs}


async def _mongo(here: Here, clock: Clock, within_s: float) -> MongoFacts:
    if here.mongo_url is None:
        return mongo_unknown(Unknown(NO_DATABASE))
    return await look_at_mongo(here.mongo_url, here.settings.database, clock, within_s)


async def _redis(here: Here, clock: Clock, within_s: float) -> RedisFacts:
    if here.redis_url is None:
        return redis_unknown(Unknown(NO_DATABASE))
    definitions = Definitions(()) if isinstance(here.definitions, Unknown) else here.definitions
    try:
        streams = streams_at(here.redis_url, here.settings.stream_prefix, here.settings.partitions)
    except BadAddress:
        return redis_unknown(Unknown(BAD_URL))
    names = watched(definitions, streams, streams.all_of(streams.replies))
    return await look_at_redis(here.redis_url, streams, names, clock, within_s)


async def _collections(
    here: Here, participants: Sequence[Participant], within_s: float
) -> tuple[SagaFacts, Fact[Mapping[str, Sequence[str] | None]]]:
    if here.mongo_url is None:
        return sagas_unknown(Unknown(NO_DATABASE)), Unknown(NO_DATABASE)
    try:
        mongo = Mongo.connect(here.mongo_url, driver="pymongo", app_name="saga-doctor")
    except Exception:  # noqa: BLE001 - a URL that the driver refuses; its own check says so
        return sagas_unknown(Unknown(BAD_URL)), Unknown(BAD_URL)
    try:
        return await asyncio.gather(
            look_at_sagas(mongo, here.settings.database, within_s),
            attempt(_missing(mongo, expected_indexes(here, participants)), within_s),
        )
    finally:
        await attempt(mongo.close(), within_s)


async def _missing(mongo: Mongo, wanted: Indexes) -> Mapping[str, Sequence[str] | None]:
    """A service makes its indexes before anything else, the first collection's first: else it has not run yet."""
    found: dict[str, Sequence[str] | None] = {}
    for database, collections in wanted.items():
        for collection, indexes in collections.items():
            missing = await missing_indexes(mongo.database(database)[collection], indexes)
            found[f"{database}.{collection}"] = missing
            if missing is None and collection == next(iter(collections)):
                break
    return found


async def _service(url: str | None, key: str | None, within_s: float) -> ServiceFacts:
    if url is None:
        nobody = Unknown("no service is known here")
        return ServiceFacts(None, nobody, nobody, nobody)
    async with httpx.AsyncClient(timeout=within_s, trust_env=False, headers=authorization(key)) as client:
        ready, read, knows = await asyncio.gather(
            attempt(_ready(client, url), within_s),
            attempt(_read(client, url), within_s),
            attempt(_knows(client, url), within_s),
        )
    return ServiceFacts(masked(url), ready, read, knows)


async def _ready(client: httpx.AsyncClient, url: str) -> tuple[int, Mapping[str, Any]]:
    answer = await client.get(f"{url}/readyz", params={"verbose": ""})
    body = answer.json()
    return answer.status_code, body if isinstance(body, dict) else {}


async def _knows(client: httpx.AsyncClient, url: str) -> Served:
    answer = (await client.get(f"{url}/v1/definitions")).raise_for_status().json()
    return frozenset((one["name"], one["version"]) for one in answer["items"])


async def _read(client: httpx.AsyncClient, url: str) -> int:
    return (await client.get(f"{url}/v1/sagas", params={"limit": "1"})).status_code
