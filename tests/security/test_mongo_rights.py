"""Every MongoDB user, every database, every action: exactly what is allowed, by trying it on a server with users.

The users and roles are those that `saga init` makes, for the containers as well.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from itertools import product
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.errors import OperationFailure

from adapters.clock import SystemClock
from adapters.mongo import Mongo
from orchestrator.retention import SagaRetention
from orchestrator.settings import Settings
from participants.retention import LedgerRetention
from support.guarded import Guarded, command, guarded

UNAUTHORIZED = 13
SERVICES = ("orchestrator", "inventory", "payment", "orders")
COLLECTIONS = {
    "saga_orchestrator": ("sagas", "dead_letters", "audit", "places", "sagas_archive"),
    "saga_inventory": ("inbox", "ledger", "products", "ledger_archive"),
    "saga_payment": ("inbox", "ledger", "accounts", "ledger_archive"),
    "saga_orders": ("inbox", "ledger", "orders", "ledger_archive"),
    "admin": ("system.users",),
    "elsewhere": ("things",),
}
#: Each does as little as it can; where it is refused for another reason, it was allowed.
ACTIONS: Mapping[str, Callable[[Any], object]] = {
    "find": lambda collection: collection.find_one({}),
    "insert": lambda collection: collection.insert_one({"_id": "tried", "wake_at": None}),
    "update": lambda collection: collection.update_one({"_id": "nobody"}, {"$set": {"tried": True}}),
    "remove": lambda collection: collection.delete_one({"_id": "nobody"}),
    "listIndexes": lambda collection: list(collection.list_indexes()),
    "createIndex": lambda collection: collection.create_index("tried"),
    "dropIndex": lambda collection: collection.drop_index("nothing"),
    "drop": lambda collection: collection.drop(),
    "watch": lambda collection: collection.watch(max_await_time_ms=1).close(),
    "collMod": lambda collection: collection.database.command("collMod", collection.name),
}
INBOX, LEDGER = {"find", "insert", "update", "listIndexes"}, {"insert", "listIndexes"}
EXPECTED: Mapping[str, Mapping[str, set[str]]] = {
    "orchestrator": {
        "sagas": {"find", "insert", "update", "watch", "listIndexes"},
        "dead_letters": {"find", "insert", "update", "remove", "listIndexes"},
        "audit": {"insert", "listIndexes"},
        "places": {"find", "insert", "update"},
    },
    "inventory": {"inbox": INBOX, "ledger": LEDGER, "products": {"find", "update"}},
    "payment": {"inbox": INBOX, "ledger": LEDGER, "accounts": {"find", "update"}},
    "orders": {"inbox": INBOX, "ledger": LEDGER, "orders": {"insert"}},
}
KEPT = {"SAGA_RETENTION_DAYS": "100", "SAGA_LEDGER_RETENTION_DAYS": "100", "SAGA_ARCHIVE": "true"}
#: What retention needs, where it is set.
KEPT_FOR_A_TIME: Mapping[str, Mapping[str, set[str]]] = {
    "orchestrator": {"sagas": {"remove"}, "sagas_archive": {"insert", "update"}},
    **{
        name: {"ledger": {"find", "update", "remove"}, "ledger_archive": {"insert", "listIndexes"}}
        for name in SERVICES[1:]
    },
}


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    with guarded(tmp_path_factory.mktemp("guarded")) as servers:
        servers.init("--seed")
        yield servers


def tried(servers: Guarded, service: str) -> dict[tuple[str, str], set[str]]:
    """By database and collection: what the service's user was let do."""
    found: dict[tuple[str, str], set[str]] = {}
    with MongoClient[Any](servers.url(service, "mongo_url")) as client:
        for database, collections in COLLECTIONS.items():
            for collection, (action, attempt) in product(collections, ACTIONS.items()):
                if allowed(attempt, client[database][collection]):
                    found.setdefault((database, collection), set()).add(action)
    return found


def allowed(attempt: Callable[[Any], object], collection: Any) -> bool:
    try:
        attempt(collection)
    except OperationFailure as error:
        return error.code != UNAUTHORIZED
    return True


def expected(service: str, *tables: Mapping[str, Mapping[str, set[str]]]) -> dict[tuple[str, str], set[str]]:
    found: dict[tuple[str, str], set[str]] = {}
    for table in tables:
        for collection, actions in table[service].items():
            found.setdefault((f"saga_{service}", collection), set()).update(actions)
    return found


@pytest.mark.parametrize("service", SERVICES)
def test_what_each_may_do_in_each_database(servers: Guarded, service: str) -> None:
    assert tried(servers, service) == expected(service, EXPECTED)


@pytest.mark.parametrize("service", SERVICES)
def test_nobody_may_administer(servers: Guarded, service: str) -> None:
    with MongoClient[Any](servers.url(service, "mongo_url")) as client:
        for name in ("serverStatus", "replSetGetStatus", "shutdown", "getLog", "usersInfo"):
            with pytest.raises(OperationFailure) as refused:
                client.admin.command(name, {"getLog": "global"}.get(name, 1))
            assert refused.value.code == UNAUTHORIZED, name
        assert client.list_database_names() == [f"saga_{service}"]


def test_without_a_password_nobody_may_do_anything(servers: Guarded) -> None:
    with MongoClient[Any](port=servers.mongo.port, directConnection=True) as client:
        refused = [
            allowed(attempt, client[database][collection])
            for database, collections in COLLECTIONS.items()
            for collection, attempt in product(collections, ACTIONS.values())
        ]
        assert not any(refused)
        with pytest.raises(OperationFailure):
            client.admin.command("createUser", "second", pwd="x", roles=["root"])


def test_with_retention_set_each_may_remove_what_is_over_and_without_it_no_more(servers: Guarded) -> None:
    servers.init(**KEPT)
    try:
        for service in SERVICES:
            assert tried(servers, service) == expected(service, EXPECTED, KEPT_FOR_A_TIME)
    finally:
        servers.init()
    assert tried(servers, "inventory") == expected("inventory", EXPECTED)


async def test_with_these_rights_what_is_over_goes(servers: Guarded) -> None:
    servers.init("--seed", **KEPT)
    clock = SystemClock()
    later = clock.now() + timedelta(days=1)
    over = {"_id": "over", "status": "completed", "created_at": clock.now(), "ended_at": clock.now()}
    with MongoClient[Any](servers.url("init", "mongo_url")) as admin:
        admin.saga_orchestrator.sagas.insert_one(over)
    urls = {name: servers.url("orchestrator", name) for name in ("mongo_url", "redis_url")}
    settings = Settings.load(**urls, retention_days=100, archive=True)
    orchestrator, inventory = (Mongo.connect(servers.url(name, "mongo_url")) for name in SERVICES[:2])
    try:
        assert await SagaRetention(orchestrator, settings, clock, lambda _: None).purge(later) == 1
        ledger = LedgerRetention(inventory, "saga_inventory", clock, keep=timedelta(days=100), archive=True)
        assert await ledger.fold(later) > 0
    finally:
        await orchestrator.close()
        await inventory.close()
        servers.init()


def test_a_participant_that_does_not_say_what_it_uses_may_not_remove(servers: Guarded) -> None:
    own = ("--participant", "support.hasty:desk")
    where = ("--mongo", f"127.0.0.1:{servers.mongo.port}", "--redis", f"127.0.0.1:{servers.redis.port}")
    command("secrets", str(servers.secrets), *where, *own, PYTHONPATH="tests")
    servers.init(*own, PYTHONPATH="tests")
    with MongoClient[Any](servers.url("desk", "mongo_url")) as client:
        done = {name for name, attempt in ACTIONS.items() if allowed(attempt, client.saga_desk.rooms)}
    assert done == {"find", "insert", "update"}


def test_new_passwords_for_all_and_the_old_ones_are_good_for_nothing(servers: Guarded) -> None:
    before = {service: servers.url(service, "mongo_url") for service in SERVICES}
    where = ("--mongo", f"127.0.0.1:{servers.mongo.port}", "--redis", f"127.0.0.1:{servers.redis.port}")
    for _ in range(2):  # The administrator has the password of before both.
        command("secrets", str(servers.secrets), *where, "--new")

    servers.renew()
    servers.init()

    for service in SERVICES:
        with MongoClient[Any](servers.url(service, "mongo_url")) as client:
            assert client[f"saga_{service}"].command("ping")["ok"] == 1
        with (
            MongoClient[Any](before[service]) as client,
            pytest.raises(OperationFailure, match="Authentication failed"),
        ):
            client[f"saga_{service}"].command("ping")
