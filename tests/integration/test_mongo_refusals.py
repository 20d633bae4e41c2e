"""A MongoDB that refuses and is well again: how long clients stay away from it."""

import asyncio
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from adapters.errors import Unavailable
from adapters.mongo import Driver, Mongo, Session, translating
from adapters.servers import MongoServer, initiate_replica_set
from chaos.real.servers import ChaosMongo, RealServers
from orchestrator.app import Orchestrator
from participants.app import SHIPPED, build
from participants.settings import ParticipantSettings
from support.api import problem
from support.doctors import standalone
from support.services import ordering, settings_for
from support.waiting import eventually

__all__ = ["standalone"]  # a fixture


async def test_a_server_that_says_it_shuts_down_and_does_not_is_soon_asked_again(server_directory: Path) -> None:
    servers = RealServers(server_directory, members=1)
    await asyncio.to_thread(servers.start)
    mongo = Mongo.connect(servers.mongo_url, app_name="refused")
    numbers = mongo.database("refusals")["numbers"]
    try:
        with translating():
            await numbers.insert_one({})
        await servers.fail(["insert"], "refused", {"errorCode": 91}, times=2)  # The driver repeats one by itself.
        with pytest.raises(Unavailable), translating():
            await numbers.insert_one({})

        begun = time.monotonic()
        await eventually(lambda: _taken(numbers), within_s=30)

        assert time.monotonic() - begun < 8
        assert await servers.stop_failing() == 2
    finally:
        await mongo.close()
        servers.kill()


@pytest.mark.parametrize("driver", ["motor", "pymongo"])
async def test_connections_that_were_made_while_it_was_starting_are_not_kept(
    driver: Driver, server_directory: Path
) -> None:
    server = ChaosMongo(server_directory, alone=False)
    await asyncio.to_thread(server.start)
    address = f"127.0.0.1:{server.port}"
    mongo = Mongo.connect(f"mongodb://{address}/?directConnection=true", driver=driver)
    try:
        # Before it belongs to a replica set it is as it is for a moment at each start.
        assert not await _committed(mongo)

        await asyncio.to_thread(initiate_replica_set, address, address)

        await eventually(lambda: _committed(mongo), within_s=10)
        assert all([await _committed(mongo) for _ in range(20)])
    finally:
        await mongo.close()
        server.kill()


async def _committed(mongo: Mongo) -> bool:
    """Whether a transaction is done. Nothing but `Unavailable` may be raised meanwhile: it is never counted."""
    numbers = mongo.database("refusals")["numbers"]

    async def body(session: Session) -> None:
        with translating():
            await numbers.insert_one({}, session=session)

    try:
        await mongo.transaction(body)
    except Unavailable:
        return False
    return True


async def _taken(numbers: Any) -> bool:
    """Whether an insert is done."""
    try:
        with translating():
            await numbers.insert_one({})
    except Unavailable:
        return False
    return True


@pytest.mark.parametrize("driver", ["motor", "pymongo"])
async def test_a_server_that_belongs_to_no_replica_set_is_away_for_transactions(
    driver: Driver, standalone: MongoServer
) -> None:
    """It takes single writes. A participant that answered `failed` would have orders compensated, and not even that."""
    mongo = Mongo.connect(standalone.url.replace("replicaSet=rs0", ""), driver=driver)
    try:
        with pytest.raises(Unavailable, match="--replSet"):
            await mongo.ping()
        assert not await _committed(mongo)
    finally:
        await mongo.close()


async def test_nothing_is_started_on_a_server_that_belongs_to_no_replica_set(
    standalone: MongoServer, redis_url: str
) -> None:
    settings = settings_for(standalone.url.replace("replicaSet=rs0", ""), redis_url)
    orchestrator = Orchestrator(settings)
    await orchestrator.start()
    transport = httpx.ASGITransport(orchestrator.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://orchestrator") as client:
        refused = await client.post("/v1/sagas", json=ordering())
        problem(refused, "unavailable", 503)
        assert (await client.get("/readyz")).status_code == 503
    await orchestrator.stop()


async def test_a_participant_says_so_before_the_first_command_comes(standalone: MongoServer, redis_url: str) -> None:
    settings = ParticipantSettings(mongo_url=standalone.url.replace("replicaSet=rs0", ""), redis_url=redis_url)
    with capture_logs() as logs:
        running = build(SHIPPED["inventory"], settings=settings)
        await running.start()
        await eventually(lambda: any(log["event"] == "waiting-for-mongodb" for log in logs))
        await running.stop()
    (said,) = [log["reason"] for log in logs if log["event"] == "waiting-for-mongodb"]
    assert "--replSet rs0" in said
