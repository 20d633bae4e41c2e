"""A MongoDB that refuses and is well again: how long clients stay away from it."""

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from adapters.errors import Unavailable
from adapters.mongo import Mongo, translating
from chaos.real.servers import RealServers
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


async def _taken(numbers: Any) -> bool:
    """Whether an insert is done."""
    try:
        with translating():
            await numbers.insert_one({})
    except Unavailable:
        return False
    return True
