"""`saga bench` as it is run: against a service that runs, on one of its own, and without HTTP."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient
from redis import Redis

from adapters.mongo import Mongo
from cli.bench.measure import read_own_totals
from cli.bench.plan import Plan
from orchestrator.settings import Settings
from support import eventually
from support.commandline import command
from support.doctors import environment_of
from support.services import participating, serving, settings_for

FEW = ("--sagas", "40", "--in-flight", "8", "--reject-ratio", "0.25")


@pytest.fixture
def settings(mongo_url: str, redis_url: str) -> Settings:
    return settings_for(mongo_url, redis_url)


@pytest.fixture
async def service(settings: Settings) -> AsyncIterator[str]:
    async with participating(settings), serving(settings) as client:
        yield str(client.base_url).rstrip("/")


async def bench(settings: Settings, *arguments: str, url: str | None = None) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *command(["bench", "--json", *arguments]),
        env=environment_of(settings, url),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def told(process: asyncio.subprocess.Process) -> dict[str, Any]:
    said, complaints = await process.communicate()
    assert process.returncode == 0, complaints.decode()
    found = json.loads(said)
    assert isinstance(found, dict)
    return found


async def test_a_running_service_is_measured_and_what_it_had_is_left_alone(settings: Settings, service: str) -> None:
    with MongoClient[Any](settings.mongo_url) as client:
        products = client[f"{settings.database_prefix}inventory"].products
        before = {row["_id"]: row for row in products.find()}

        found = await told(await bench(settings, *FEW, "--via", "post", url=service))

        assert (found["sagas"], found["completed"], found["compensated"], found["via"]) == (40, 30, 10, "post")
        assert (found["otherwise"], found["interrupted"]) == (0, False)
        assert 0 < found["p50_ms"] <= found["p99_ms"] <= found["seconds"] * 1_000
        assert found["answered_p50_ms"] <= found["answered_p99_ms"]
        assert found["sagas_per_s"] == pytest.approx(40 / found["seconds"], rel=0.01, abs=0.05)  # It is rounded.
        assert {row["_id"]: row for row in products.find({"_id": {"$in": list(before)}})} == before


@pytest.mark.parametrize("via", ["engine", "batch"])
async def test_where_none_runs_it_measures_one_of_its_own_and_leaves_nothing_behind(
    settings: Settings, via: str
) -> None:
    with MongoClient[Any](settings.mongo_url) as client, Redis.from_url(settings.redis_url) as redis:
        found = await told(await bench(settings, *FEW, "--via", via))

        assert (found["sagas"], found["completed"], found["compensated"], found["via"]) == (40, 30, 10, via)
        assert [name for name in client.list_database_names() if name.startswith("bench_")] == []
        assert list(redis.scan_iter(match="bench.*")) == []


@pytest.mark.parametrize("via", ["post", "batch"])
async def test_sagas_are_started_at_a_rate_and_their_time_counts_from_when_they_were_due(
    settings: Settings, service: str, via: str
) -> None:
    found = await told(await bench(settings, *FEW, "--via", via, "--rate", "1000", "--products", "1", url=service))

    assert (found["sagas"], found["completed"], found["offered_per_s"], found["products"]) == (40, 30, 1_000, 1)
    assert 0 < found["p50_ms"] <= found["p99_ms"] <= found["seconds"] * 1_000
    assert found["reached_per_s"] == found["sagas_per_s"] < 1_000
    assert found["generator_cpu_ms"] > 0


async def test_a_rate_is_for_a_service(settings: Settings) -> None:
    process = await bench(settings, *FEW, "--via", "engine", "--rate", "10")
    _, said = await process.communicate()

    assert process.returncode == 2
    assert "--rate is for a service" in said.decode()


async def test_ctrl_c_shows_what_was_measured_by_then(settings: Settings, service: str) -> None:
    process = await bench(settings, "--sagas", "100000", "--in-flight", "8", url=service)
    with MongoClient[Any](settings.mongo_url) as client:
        measured = {"_id": {"$regex": "^bench-.*-m-"}, "status": "completed"}
        sagas = client[settings.database].sagas
        await eventually(lambda: sagas.count_documents(measured) >= 8 or process.returncode is not None, within_s=90)
        process.send_signal(signal.SIGINT)

        found = await told(process)

        assert found["interrupted"] is True
        assert found["sagas"] == sagas.count_documents(measured) < 100_000


async def test_totals_that_do_not_add_up_are_found(settings: Settings, service: str) -> None:
    found = await told(await bench(settings, *FEW, url=service))
    assert (found["sagas"], found["compensated"], found["via"]) == (40, 10, "batch")
    mongo = Mongo.connect(settings.mongo_url)
    with MongoClient[Any](settings.mongo_url) as client:
        products = client[f"{settings.database_prefix}inventory"].products
        sold = products.find_one({"_id": {"$regex": "^bench-"}}, sort=[("available", 1)])
        assert sold is not None
        plan = Plan(sold["_id"].split("-")[1], 40, 8, 0.25)
        assert (await read_own_totals(mongo, settings.database_prefix, plan)).problems == []

        products.update_one({"_id": sold["_id"]}, {"$inc": {"available": 1}})

        problems = (await read_own_totals(mongo, settings.database_prefix, plan)).problems
        assert problems == [f"{sold['_id']}: ledger and balance differ"]
    await mongo.close()


async def test_a_service_is_not_measured_with_the_mongodb_of_another(settings: Settings, tmp_path: Path) -> None:
    told = {"url": "http://127.0.0.1:8", "pid": 1, "mongo_url": settings.mongo_url}
    (tmp_path / "service.json").write_text(json.dumps(told))
    environment = environment_of(settings, "http://127.0.0.1:9")
    del environment["SAGA_MONGO_URL"]
    process = await asyncio.create_subprocess_exec(
        *command(["bench"]), env=environment | {"SAGA_DATA_DIR": str(tmp_path)}, stderr=asyncio.subprocess.PIPE
    )
    _, said = await process.communicate()

    assert process.returncode == 1
    assert "SAGA_MONGO_URL" in said.decode()
