"""`saga init` on databases that ask for no password: what services need is there before they come, however often."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from pymongo import MongoClient

from adapters.servers import initiate_replica_set
from chaos.real.servers import ChaosMongo
from participants.app import SHIPPED
from support.guarded import command
from support.orchestrator_process import own_environment


def test_collections_indexes_groups_and_products_are_there_before_the_services(mongo_url: str, redis_url: str) -> None:
    environment = own_environment(mongo_url, redis_url)
    prefix, streams = environment["SAGA_DATABASE_PREFIX"], environment["SAGA_STREAM_PREFIX"]
    with MongoClient[Any](mongo_url) as client, redis.Redis.from_url(redis_url) as bus:
        try:
            first = command("init", "--seed", **environment)
            again = command("init", "--seed", **environment)

            assert f"a new group on {streams}replies, {streams}commands.inventory" in first
            assert "Redis has its groups." in again
            sagas = client[f"{prefix}orchestrator"].sagas
            assert {"newest", "status_newest", "wake_at"} <= sagas.index_information().keys()
            for name in SHIPPED:
                database = client[f"{prefix}{name}"]
                assert len(database.ledger.index_information()) == len(database.inbox.index_information()) == 2
                assert [group["name"] for group in bus.xinfo_groups(f"{streams}commands.{name}")] == [name.encode()]
            assert client[f"{prefix}inventory"].products.count_documents({}) == 3
        finally:
            for name in ("orchestrator", *SHIPPED):
                client.drop_database(f"{prefix}{name}")
            for key in bus.scan_iter(f"{streams}*"):
                bus.delete(key)


@pytest.fixture
def members(server_directory: Path) -> Iterator[list[str]]:
    """The addresses of two servers that could be a replica set, and are in none."""
    servers = [ChaosMongo(server_directory / f"mongo-{n}", alone=False) for n in range(2)]
    try:
        for server in servers:
            server.start()
        yield [f"127.0.0.1:{server.port}" for server in servers]
    finally:
        for server in servers:
            if server.is_running():
                server.kill()


def test_of_several_servers_no_set_of_one_is_made_and_the_first_may_be_no_primary(
    members: list[str], redis_url: str
) -> None:
    one, other = members
    environment = own_environment(f"mongodb://{other},{one}/?replicaSet=rs0", redis_url)
    with pytest.raises(AssertionError, match="in no replica set yet"):
        command("init", "--member", other, "--timeout", "1s", **environment)
    for member in members:
        with MongoClient[Any](f"mongodb://{member}/?directConnection=true") as client:
            assert "setName" not in client.admin.command("hello")

    initiate_replica_set(one, one, other)

    with redis.Redis.from_url(redis_url) as bus:
        try:
            assert "MongoDB is ready." in command("init", **environment)
        finally:
            for key in bus.scan_iter(f"{environment['SAGA_STREAM_PREFIX']}*"):
                bus.delete(key)


def test_a_database_that_does_not_answer_is_named_in_time() -> None:
    environment = own_environment("mongodb://127.0.0.1:1/?replicaSet=rs0", "redis://127.0.0.1:1/0")
    with pytest.raises(AssertionError, match="MongoDB does not answer") as failed:
        command("init", "--timeout", "1s", **environment)
    assert "Traceback" not in str(failed.value)
