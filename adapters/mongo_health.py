"""What a MongoDB says of itself, for whoever diagnoses it. Changes nothing, but for one write that it takes back."""

import asyncio
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from adapters.clock import Clock
from adapters.facts import BAD_URL, Fact, Skew, Unknown, attempt, skew
from adapters.mongo import Document, Mongo, Session, translating
from adapters.urls import direct_urls

SCRATCH = "doctor"  #: the collection of the write that is taken back
DIRECT_LIMIT = 7  #: servers asked one by one: as many as may vote in a set

_PARAMETERS = dict.fromkeys(
    ("transactionLifetimeLimitSeconds", "minSnapshotHistoryWindowInSeconds", "enableTestCommands"), 1
)
_STATUS = dict.fromkeys(("metrics", "wiredTiger", "locks", "tcmalloc", "repl", "opcounters"), 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class MongoFacts:
    """Each as MongoDB has answered, or why it has not."""

    hello: Fact[Document]
    build: Fact[Document]
    parameters: Fact[Document]
    status: Fact[Document]
    members: Fact[Document]
    storage: Fact[Document]
    skew: Fact[Skew]
    write_s: Fact[float]  #: how long a transaction took that a majority has journaled
    servers: Sequence[Fact[Document]] = ()  #: where no primary was found: what each server says, asked by itself


async def look_at_mongo(url: str, database: str, clock: Clock, within_s: float) -> MongoFacts:
    """All facts, each within the time."""
    try:
        mongo = Mongo.connect(url, driver="pymongo", app_name="saga-doctor")
    except Exception:  # noqa: BLE001 - a URL that the driver refuses is a finding
        return nothing_known(Unknown(BAD_URL))
    try:
        return await _look(mongo, url, database, clock, within_s)
    finally:
        await attempt(mongo.close(), within_s)


async def _look(mongo: Mongo, url: str, database: str, clock: Clock, within_s: float) -> MongoFacts:
    hello = await attempt(_ask(mongo, "admin", "hello"), within_s)
    if isinstance(hello, Unknown):
        each = direct_urls(url)[:DIRECT_LIMIT]
        return nothing_known(hello, await asyncio.gather(*(attempt(_hello(one), within_s) for one in each)))
    difference = await attempt(skew(clock, _time(mongo)), within_s)  # By itself: nothing else is in its way.
    asked = asyncio.gather(
        attempt(_ask(mongo, "admin", "buildInfo"), within_s),
        attempt(_ask(mongo, "admin", "getParameter", **_PARAMETERS), within_s),
        attempt(_ask(mongo, "admin", "serverStatus", **_STATUS), within_s),
        attempt(_ask(mongo, "admin", "replSetGetStatus"), within_s),
        attempt(_ask(mongo, database, "dbStats"), within_s),
    )
    write_s = await attempt(_write(mongo, database), within_s)
    build, parameters, status, members, storage = await asked
    return MongoFacts(
        hello=hello,
        build=build,
        parameters=parameters,
        status=status,
        members=members,
        storage=storage,
        skew=difference,
        write_s=write_s,
    )


def nothing_known(why: Unknown, servers: Sequence[Fact[Document]] = ()) -> MongoFacts:
    """The facts about a MongoDB that was not found."""
    names = ("hello", "build", "parameters", "status", "members", "storage", "skew", "write_s")
    unknown: Any = dict.fromkeys(names, why)
    return MongoFacts(**unknown, servers=servers)


async def _ask(mongo: Mongo, database: str, command: str, **options: Any) -> Document:
    with translating():
        answer = await mongo.database(database).command(command, **options)
    return dict(answer)


async def _hello(url: str) -> Document:
    mongo = Mongo.connect(url, driver="pymongo", app_name="saga-doctor")
    try:
        return await _ask(mongo, "admin", "hello")
    finally:
        await mongo.close()


def _time(mongo: Mongo) -> Awaitable[datetime]:
    async def ask() -> datetime:
        answer = await mongo.database("admin").command("hello", codec_options=mongo.database("admin").codec_options)
        found: datetime = answer["localTime"]
        return found

    return ask()


async def _write(mongo: Mongo, database: str) -> float:
    """Insert and delete in one transaction, as every promise needs it: by a majority, journaled."""
    scratch = mongo.database(database)[SCRATCH]

    async def body(session: Session) -> None:
        inserted = await scratch.insert_one({}, session=session)
        await scratch.delete_one({"_id": inserted.inserted_id}, session=session)

    begun = asyncio.get_running_loop().time()
    await mongo.transaction(body)
    took_s = asyncio.get_running_loop().time() - begun
    with translating():
        await scratch.drop()
    return took_s
