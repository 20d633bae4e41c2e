"""Each call on a collection that may be sharded names its shard key, so that it goes to one shard and not to all.

Heard from the driver while the real services work, on a replica set: which command, with which filter. Those that ask
every shard are listed with their reason, and the list may only shrink. docs/deploying.md tells the keys.
"""

import re
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from random import Random
from typing import Any

import httpx
import pytest
from pymongo import monitoring

from adapters.clock import SystemClock
from adapters.mongo import Mongo
from orchestrator.retention import SagaRetention
from orchestrator.settings import Settings
from orchestrator.store import INDEXES, MongoSagaStore
from participants.inbox import INDEXES as INBOX_INDEXES
from participants.ledger import LEDGER_INDEXES, OPENING
from participants.retention import LedgerRetention
from participants.seed import Product, Seeder
from support import eventually
from support.services import ordering, participating, serving, settings_for
from support.source import ROOT

#: By collection: the field that says on which shard a document is.
SHARD_KEYS = {
    "sagas": "_id",
    "inbox": "_id",
    "ledger": "saga_id",
    "orders": "_id",
    "products": "_id",
    "accounts": "_id",
}

#: Asks every shard: command, collection, fields of the filter; and why that is right.
EVERYWHERE = {
    ("find", "sagas", "wake_at"): "the sweep: what is due may be anywhere; by the index of timers alone",
    (
        "find",
        "sagas",
        "pending.0 updated_at wake_at",
    ): "what is awaited, once streams were lost",
    ("aggregate", "sagas", "wake_at"): "how many are in flight, counted by the index of timers",
    ("aggregate", "sagas", "status"): "the definitions of sagas in flight, and the figures of /metrics",
    ("aggregate", "sagas", "$changeStream"): "the change stream of all sagas, while somebody listens",
    ("find", "sagas", "_id created_at ended_at status wake_at"): "retention: what has ended long ago",
    ("find", "sagas", ""): "a list without a filter",
    ("find", "sagas", "status"): "a list of one status",
    ("find", "sagas", "saga status"): "a list of one kind",
    ("find", "sagas", "_id"): "a search: ids that begin so, and a hash keeps no order",
    ("aggregate", "sagas", "_id"): "a search: how many there are, counted by the index of ids",
    ("find", "ledger", "_id"): "retention of the ledger: the oldest rows",
    ("delete", "ledger", "_id"): "retention of the ledger: these rows",
    ("update", "ledger", "_id"): "retention of the ledger: a key's opening row, which belongs to no saga",
}


@dataclass(frozen=True)
class Call:
    """One command; `asked` is its filter, or the document that it inserts."""

    name: str
    collection: str
    asked: Mapping[str, Any]
    upsert: bool = False

    @property
    def shape(self) -> tuple[str, str, str]:
        return self.name, self.collection, " ".join(sorted(set(fields_of(self.asked))))

    @property
    def names_its_shard(self) -> bool:
        """Whether the key is there, as one value or some."""
        value = self.asked.get(SHARD_KEYS[self.collection])
        return value is not None and (not isinstance(value, Mapping) or value.keys() == {"$in"})


def fields_of(asked: Mapping[str, Any]) -> Iterator[str]:
    """The fields that a filter names, in its alternatives too."""
    for name, value in asked.items():
        if name in ("$and", "$or"):
            for each in value:
                yield from fields_of(each)
        else:
            yield name


class Heard(monitoring.CommandListener):
    """What the drivers of this process are told to do with the collections that may be sharded."""

    def __init__(self) -> None:
        self.prefix: str | None = None  #: what the names of the databases begin with
        self.calls: list[Call] = []

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        collection = str(event.command.get(event.command_name, ""))
        if self.prefix and event.database_name.startswith(self.prefix) and collection in SHARD_KEYS:
            self.calls += calls_in(event.command_name, collection, event.command)

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        """Nothing: only what is asked matters."""

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        """Nothing, likewise."""


def calls_in(name: str, collection: str, command: Mapping[str, Any]) -> list[Call]:
    match name:
        case "find":
            return [Call(name, collection, command.get("filter", {}))]
        case "findAndModify":
            return [Call(name, collection, command["query"], command.get("upsert", False))]
        case "insert":
            return [Call(name, collection, document) for document in command["documents"]]
        case "update" | "delete":
            each = command[f"{name}s"]
            return [Call(name, collection, one["q"], one.get("upsert", False)) for one in each]
        case "aggregate":
            stage = command["pipeline"][0]
            return [Call(name, collection, stage.get("$match", stage))]
        case _:  # Indexes.
            return []


_HEARD = Heard()
monitoring.register(_HEARD)


@pytest.fixture
def settings(mongo_url: str, redis_url: str) -> Settings:
    return settings_for(mongo_url, redis_url)


@pytest.fixture
def heard(settings: Settings) -> Iterator[Heard]:
    _HEARD.prefix, _HEARD.calls = settings.database_prefix, []
    yield _HEARD
    _HEARD.prefix = None


@pytest.fixture
async def mongo(settings: Settings) -> AsyncIterator[Mongo]:
    mongo = Mongo.connect(settings.mongo_url)
    yield mongo
    await mongo.close()


async def ended(client: httpx.AsyncClient, count: int) -> bool:
    found = (await client.get("/v1/sagas?limit=200")).json()["items"]
    return sum(saga["status"] in {"completed", "compensated"} for saga in found) == count


async def work(settings: Settings, mongo: Mongo) -> None:
    """Orders of each kind, one by one and in a batch; lists; a lost stream; a listener; retention."""
    async with participating(settings), serving(settings) as client:
        batch = [ordering(), ordering(product="sold-out"), ordering(customer="broke")] * 5
        await client.post("/v1/sagas:batch", json={"sagas": batch})
        await client.post("/v1/sagas", json=ordering(), headers={"Idempotency-Key": "k"})
        await client.post("/v1/sagas", json=ordering(), headers={"Idempotency-Key": "k"})
        await eventually(lambda: ended(client, 16))
        for wish in ("status=completed", "saga=order", "q=01"):
            assert (await client.get(f"/v1/sagas?{wish}")).status_code == 200
        await client.get("/metrics")
        async with client.stream("GET", "/v1/sagas/events") as events:
            await eventually(lambda: any(call.shape[2] == "$changeStream" for call in _HEARD.calls))
            await events.aclose()
    clock = SystemClock()
    await MongoSagaStore(mongo, settings.database, Random(0)).awaiting(None, 10, clock.now())
    await SagaRetention(mongo, settings, clock, lambda _: None).purge(clock.now() + timedelta(days=1))
    inventory = LedgerRetention(mongo, f"{settings.database_prefix}inventory", clock, keep=None)
    seeder = Seeder(mongo, clock, Random(0), prefix=settings.database_prefix)
    for stock in (5, 6):  # An opening row is made, and then it is there.
        await seeder.product(Product("boots", stock, 1999))
        await inventory.fold(clock.now() + timedelta(days=1))


async def test_whoever_looks_for_a_document_says_on_which_shard_it_is(
    heard: Heard, settings: Settings, mongo: Mongo
) -> None:
    await work(settings, mongo)
    seen = {(call.name, call.collection) for call in heard.calls}
    assert {("insert", "sagas"), ("update", "sagas"), ("find", "sagas")} <= seen
    assert {("insert", "inbox"), ("find", "inbox"), ("update", "inbox"), ("insert", "ledger")} <= seen
    assert {("insert", "orders"), ("find", "products"), ("update", "products"), ("update", "accounts")} <= seen
    assert {call.shape for call in heard.calls if call.name != "insert" and not call.names_its_shard} == set(EVERYWHERE)


async def test_what_is_inserted_has_its_shard_key_and_an_upsert_names_it(
    heard: Heard, settings: Settings, mongo: Mongo
) -> None:
    await work(settings, mongo)
    # Opening rows belong to no saga: they are all on the shard of the key that is missing.
    inserted = [call for call in heard.calls if call.name == "insert" and call.asked.get("kind") != OPENING]
    assert [call for call in inserted if not call.names_its_shard] == []
    # MongoDB refuses any other upsert on a sharded collection.
    assert [call for call in heard.calls if call.upsert and not call.names_its_shard] == []


def test_a_unique_index_begins_with_the_shard_key() -> None:
    # Else MongoDB refuses to shard the collection: no shard could know what the others have.
    indexes = {"sagas": INDEXES, "inbox": INBOX_INDEXES, **LEDGER_INDEXES}
    unique = {
        name: [list(index.document["key"]) for index in each if index.document.get("unique")]
        for name, each in indexes.items()
    }
    assert unique == {"sagas": [], "inbox": [], "ledger": [["saga_id", "step", "kind", "key"]]}
    assert all(fields[0] == SHARD_KEYS[name] for name, each in unique.items() for fields in each)


def test_the_commands_that_shard_a_collection_are_those_of_the_document() -> None:
    told = re.findall(
        r'sh\.shardCollection\("\w+\.(\w+)", \{(\w+): "hashed"\}\)', (ROOT / "docs" / "deploying.md").read_text()
    )
    assert set(told) == set(SHARD_KEYS.items())
