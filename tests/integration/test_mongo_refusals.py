"""A MongoDB that refuses and is well again: how long clients stay away from it."""

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from adapters.errors import Unavailable
from adapters.mongo import Driver, Mongo, Session, translating
from adapters.servers import initiate_replica_set
from chaos.real.servers import ChaosMongo, RealServers
from support.waiting import eventually


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
