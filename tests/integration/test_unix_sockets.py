"""MongoDB and Redis behind Unix sockets, where everything is on one machine: all services work with them."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import get_args
from urllib.parse import quote

import pytest

from adapters.mongo import Driver
from adapters.servers import MongoServer
from adapters.servers.redis import RedisServer
from support.services import ordering, participating, serving, settings_for


class LocalMongo(MongoServer):
    """mongod that listens on a Unix socket too."""

    @property
    def local_url(self) -> str:
        """For those that come through it. The name of the replica set would lead them to its TCP address."""
        socket = quote(str(self.data_directory / f"mongodb-{self.port}.sock"), safe="")
        return f"mongodb://{socket}/?directConnection=true"

    def _arguments(self, port: int) -> Sequence[str]:
        arguments = [argument for argument in super()._arguments(port) if argument != "--nounixsocket"]
        return [*arguments, "--unixSocketPrefix", str(self.data_directory)]


class LocalRedis(RedisServer):
    """Redis that listens on a Unix socket too."""

    @property
    def local_url(self) -> str:
        """For those that come through it."""
        return f"unix://{self._socket}?db=0"

    @property
    def _socket(self) -> Path:
        return self.data_directory / "redis.sock"

    def _arguments(self, port: int) -> Sequence[str]:
        return [*super()._arguments(port), "--unixsocket", str(self._socket)]


@pytest.fixture
def servers(server_directory: Path) -> Iterator[tuple[LocalMongo, LocalRedis]]:
    both = LocalMongo(server_directory / "m"), LocalRedis(server_directory / "r")
    try:
        for server in both:
            server.start()
        yield both
    finally:
        for server in both:
            server.stop()


@pytest.mark.parametrize("driver", get_args(Driver))
async def test_an_order_completes(driver: Driver, servers: tuple[LocalMongo, LocalRedis]) -> None:
    mongo, redis = servers
    settings = settings_for(mongo.local_url, redis.local_url, mongo_driver=driver)
    async with participating(settings), serving(settings) as client:
        answer = await client.post("/v1/sagas", json=ordering(), headers={"Prefer": "wait=15"})
        assert answer.json()["status"] == "completed"
