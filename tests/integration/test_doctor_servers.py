"""`saga doctor` against real servers: what is wrong there is named, and nothing else is hidden by it."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from pymongo import MongoClient
from redis import Redis

from adapters.clock import SystemClock
from adapters.mongo_health import look_at_mongo
from adapters.servers import MongoServer, RedisServer
from cli.data_directory import DataDirectory
from cli.doctor.check import Check, Status
from cli.doctor.gather import expected_indexes, look_there
from cli.doctor.here import look_here
from cli.doctor.mongodb import judge_mongo
from cli.doctor.run import diagnosis
from orchestrator.settings import Settings
from participants.app import SHIPPED
from sagas.order import order
from support import eventually
from support.commandline import CommandLine
from support.doctors import examine, standalone
from support.services import ordering, participating, serving, settings_for

__all__ = ["standalone"]  # a fixture

Checks = dict[str, dict[str, str]]


class SkewedClock(SystemClock):
    """An hour behind everybody else."""

    def now(self) -> datetime:
        return super().now() - timedelta(hours=1)


@pytest.fixture
def settings(mongo_url: str, redis_url: str) -> Settings:
    return settings_for(mongo_url, redis_url)


@pytest.fixture
async def service(settings: Settings) -> AsyncIterator[str]:
    """The URL of a service that has done something."""
    async with participating(settings), serving(settings) as client:
        saga = (await client.post("/v1/sagas", json=ordering())).headers["Location"]

        async def all_have_worked() -> bool:
            return bool((await client.get(saga)).json()["status"] == "completed")

        await eventually(all_have_worked)
        yield str(client.base_url).rstrip("/")


async def test_a_service_that_is_well_has_nothing_wrong_and_is_left_as_it_was(settings: Settings, service: str) -> None:
    code, said = await examine(settings, url=service)

    assert (code, said["ok"]) == (0, True)
    assert {check["name"]: check["detail"] for check in said["checks"] if check["status"] == "failed"} == {}
    assert (said["mongo_url"], said["redis_url"], said["url"]) == (settings.mongo_url, settings.redis_url, service)
    found = {check["name"]: check["status"] for check in said["checks"]}
    for name in ("service", "mongodb-replica-set", "indexes", "consumers", "redis-eviction", "definitions-in-flight"):
        assert found[name] == "ok"
    with MongoClient[Any](settings.mongo_url) as client:
        assert "doctor" not in client[settings.database].list_collection_names()


async def test_a_mongodb_of_ours_is_run_as_others_are_told_to(own_mongo: MongoServer) -> None:
    async def judged() -> dict[str, Check]:
        return {check.name: check for check in judge_mongo(await look_at_mongo(own_mongo.url, "x", SystemClock(), 5))}

    names = {"mongodb-transaction-lifetime", "mongodb-history"}
    assert names <= {name for name, check in (await judged()).items() if check.status == Status.OK}
    with MongoClient[Any](own_mongo.url) as client:
        for parameter in ("transactionLifetimeLimitSeconds", "minSnapshotHistoryWindowInSeconds"):
            client.admin.command({"setParameter": 1, parameter: 77})
    assert names == {name for name, check in (await judged()).items() if " 77" in check.detail}


async def test_an_index_that_is_missing_or_another_one_is_named(settings: Settings, service: str) -> None:
    with MongoClient[Any](settings.mongo_url) as client:
        sagas = client[settings.database].sagas
        sagas.drop_index("newest")
        sagas.drop_index("wake_at")
        sagas.create_index([("wake_at", 1), ("_id", 1)], name="wake_at")  # Not partial.

    code, said = await examine(settings, url=service)

    assert (code, said["indexes"]["status"]) == (1, "failed")
    for name in ("newest", "wake_at"):
        assert f"{name} of {settings.database}.sagas" in said["indexes"]["detail"]
    assert "status_newest" not in said["indexes"]["detail"]


@pytest.mark.usefixtures("service")
async def test_the_indexes_that_it_expects_are_those_that_the_services_make(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SAGA_DATABASE_PREFIX", settings.database_prefix)
    here = look_here(DataDirectory(Path("nowhere")), 5)
    wanted = {
        (database, collection, index.document["name"])
        for database, collections in expected_indexes(here, list(SHIPPED.values())).items()
        for collection, indexes in collections.items()
        for index in indexes
    }
    with MongoClient[Any](settings.mongo_url) as client:
        names = [name for name in client.list_database_names() if name.startswith(settings.database_prefix)]
        there = {
            (name, collection, index)
            for name in names
            for collection in client[name].list_collection_names()
            for index in client[name][collection].index_information()
        }

    assert {index for index in there if index[2] != "_id_"} == wanted


async def test_clocks_that_differ_are_named(
    mongo_url: str, redis_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SAGA_MONGO_URL", mongo_url)
    monkeypatch.setenv("SAGA_REDIS_URL", redis_url)
    here = look_here(DataDirectory(tmp_path), 5)

    there = await look_there(here, None, None, [], SkewedClock(), 5)
    found = {check.name: check for check in diagnosis(here, there, SkewedClock())}

    for name in ("clock-mongodb", "clock-redis"):
        seconds, _, said = found[name].detail.partition(" s ")
        assert found[name].status is Status.FAILED
        assert float(seconds) == pytest.approx(3600, abs=5)
        assert said.startswith("ahead of this machine")


async def test_a_standalone_mongodb_is_named_also_where_the_url_asks_for_a_set(
    settings: Settings, standalone: MongoServer
) -> None:
    urls = (standalone.url, standalone.url.replace("replicaSet=rs0", ""))
    found = await asyncio.gather(*(examine(settings.model_copy(update={"mongo_url": url})) for url in urls))
    for code, said in found:
        assert (code, said["mongodb-replica-set"]["status"]) == (1, "failed")
        assert "standalone" in said["mongodb-replica-set"]["detail"]
        assert "rs.initiate()" in said["mongodb-replica-set"]["remedy"]
        assert said["redis"]["status"] == "ok"


async def test_a_redis_that_evicts_or_forgets_is_named(settings: Settings, own_redis: RedisServer) -> None:
    with Redis.from_url(own_redis.url) as redis:
        redis.config_set("maxmemory-policy", "allkeys-lru")
        redis.config_set("appendonly", "no")

    code, said = await examine(settings.model_copy(update={"redis_url": own_redis.url}))

    assert code == 1
    assert (said["redis-eviction"]["status"], said["redis-persistence"]["status"]) == ("failed", "failed")
    assert "noeviction" in said["redis-eviction"]["remedy"]
    assert "appendonly yes" in said["redis-persistence"]["remedy"]


async def test_a_group_without_consumers_is_named_also_after_they_died(settings: Settings) -> None:
    stream = f"{settings.stream_prefix}commands.payment"
    with Redis.from_url(settings.redis_url) as redis:
        redis.xgroup_create(stream, "payment", id="0", mkstream=True)
        redis.xgroup_createconsumer(stream, "payment", "dead")  # Its name stays, its heartbeat has ended.
        redis.sadd(f"{settings.stream_prefix}consumers:{stream}:payment", "dead")

        code, said = await examine(settings)

        assert (code, said["consumers"]["status"]) == (1, "failed")
        assert "payment" in said["consumers"]["detail"]
        assert "saga participant payment" in said["consumers"]["remedy"]

        redis.set(f"{settings.stream_prefix}consumer:{stream}:payment:dead", "1", px=60_000)
        _, said = await examine(settings)
        assert said["consumers"]["status"] == "ok"


async def test_a_dead_letter_is_named_until_it_is_redriven(settings: Settings) -> None:
    with MongoClient[Any](settings.mongo_url) as client:
        letters = client[settings.database].dead_letters
        letters.insert_one({"_id": "l", "stream": f"{settings.stream_prefix}replies"})
        _, said = await examine(settings)
        assert (said["dead-letters"]["status"], said["dead-letters"]["detail"][:2]) == ("warning", "1 ")

        letters.update_one({}, {"$set": {"redriven_at": datetime.now(UTC)}})
        _, said = await examine(settings)
        assert said["dead-letters"]["status"] == "ok"


async def test_a_key_that_is_no_stream_is_named(settings: Settings) -> None:
    with Redis.from_url(settings.redis_url) as redis:
        redis.lpush(f"{settings.stream_prefix}replies", "x")

    code, said = await examine(settings)

    assert code == 1
    assert f"{settings.stream_prefix}replies is a list" in said["streams"]["detail"]
    assert said["redis-eviction"]["status"] == "ok"


@pytest.mark.parametrize(
    ("version", "fingerprint", "words"), [(7, "x", "not known here"), (order.version, "x", "changed under")]
)
async def test_a_definition_in_flight_that_is_not_the_one_here_is_named(
    settings: Settings, version: int, fingerprint: str, words: str
) -> None:
    saga = {"saga": "order", "version": version, "fingerprint": fingerprint, "status": "running"}
    with MongoClient[Any](settings.mongo_url) as client:
        client[settings.database].sagas.insert_one({"_id": uuid4().hex, **saga, "created_at": datetime.now(UTC)})

    code, said = await examine(settings)

    assert (code, said["definitions-in-flight"]["status"]) == (1, "failed")
    assert words in said["definitions-in-flight"]["detail"]


async def test_every_wrong_setting_is_named_at_once_and_hides_nothing(settings: Settings) -> None:
    wrong = {"SAGA_HTTP_PORT": "x", "SAGA_MAX_ACTIVE": "0", "SAGA_INBOX_EXPIRY_DAYS": "1", "SAGA_STREM_PREFIX": "y"}

    code, said = await examine(settings, wrong)

    assert code == 1
    for name in ("SAGA_HTTP_PORT", "SAGA_MAX_ACTIVE", "SAGA_INBOX_EXPIRY_DAYS"):
        assert name in said["settings"]["detail"]
    assert "SAGA_STREM_PREFIX" in said["environment"]["detail"]
    assert (said["mongodb"]["status"], said["redis"]["status"]) == ("ok", "ok")


async def test_no_password_is_shown_also_where_a_url_makes_no_sense(settings: Settings) -> None:
    urls = {"mongo_url": "mongodb://joe:s3/cret@127.0.0.1/", "redis_url": "redis://joe:s3/cret@127.0.0.1:1/0"}

    code, said = await examine(settings.model_copy(update=urls), url="http://joe:s3cret@127.0.0.1:9")

    assert code == 1
    assert "s3" not in json.dumps(said)
    assert "%2F" in said["redis"]["detail"]
    assert "%2F" in said["mongodb"]["detail"]


async def test_a_module_that_never_ends_to_be_imported_is_named(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "endless_definitions.py").write_text("import threading\nthreading.Event().wait()\n")
    given = {"SAGA_DEFINITIONS": "endless_definitions", "PYTHONPATH": str(tmp_path)}

    _, said = await examine(settings, given, "--timeout", "300ms")

    assert "takes longer" in said["definitions"]["detail"]
    assert said["mongodb"]["status"] == "ok"


async def test_servers_that_never_answer_do_not_make_it_hang(settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # Connections are made, and nothing is ever said.
        port = silent.getsockname()[1]
        urls = {"mongo_url": f"mongodb://127.0.0.1:{port}/?replicaSet=rs0", "redis_url": f"redis://127.0.0.1:{port}/0"}
        async with asyncio.timeout(60):
            code, said = await examine(
                settings.model_copy(update=urls), None, "--timeout", "1s", url=f"http://127.0.0.1:{port}"
            )

    assert code == 1
    assert {name for name in ("mongodb", "redis", "service") if said[name]["status"] == "failed"} == {
        "mongodb",
        "redis",
        "service",
    }


def test_without_any_database_it_says_how_to_get_one(tmp_path: Path) -> None:
    result = CommandLine(tmp_path).run("doctor", "--json")
    said = json.loads(result.stdout)

    assert result.returncode == 1
    assert (said["mongo_url"], said["redis_url"], said["url"]) == (None, None, None)
    assert "saga up" in next(check["remedy"] for check in said["checks"] if check["name"] == "mongodb")


async def test_databases_that_run_here_by_themselves_are_found(
    own_redis: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".saga").mkdir()
    (tmp_path / ".saga" / "redis").symlink_to(own_redis.log_file.parent)
    monkeypatch.delenv("SAGA_REDIS_URL", raising=False)

    assert look_here(DataDirectory(tmp_path / ".saga"), 5).redis_url == own_redis.url
    await asyncio.to_thread(own_redis.stop)
    await eventually(lambda: not own_redis.is_running())
    assert look_here(DataDirectory(tmp_path / ".saga"), 5).redis_url is None
