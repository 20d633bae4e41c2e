"""MongoDB and Redis behind TLS: all services work with it, and who does not trust a server is told why."""

import asyncio
import re
import ssl
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import pytest
import trustme

from adapters.errors import Unavailable
from adapters.mongo import Driver, Mongo
from adapters.servers import MongoServer
from support.buses import RedisWorld
from support.cutting import Wire, wire
from support.services import ordering, participating, serving, settings_for

UNTRUSTED = "[SSL: CERTIFICATE_VERIFY_FAILED]"


@dataclass(frozen=True, slots=True)
class Certificates:
    """Of an authority that nobody knows, and of a server."""

    authority: Path
    server: Path

    @property
    def context(self) -> ssl.SSLContext:
        """What a server speaks with."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.server)
        return context


class EncryptedMongo(MongoServer):
    """mongod that speaks TLS to whoever wants it."""

    def __init__(self, directory: Path, certificates: Certificates) -> None:
        super().__init__(directory)
        self._certificates = certificates

    @property
    def encrypted_url(self) -> str:
        """For those that do."""
        return f"{self.url}&tls=true"

    def _arguments(self, port: int) -> Sequence[str]:
        files = (
            "--tlsCertificateKeyFile",
            str(self._certificates.server),
            "--tlsCAFile",
            str(self._certificates.authority),
        )
        return [*super()._arguments(port), "--tlsMode", "preferTLS", *files, "--tlsAllowConnectionsWithoutCertificates"]


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    directory = tmp_path_factory.mktemp("certificates")
    made = Certificates(directory / "authority.pem", directory / "server.pem")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(made.authority)
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(made.server)
    return made


@pytest.fixture
def mongo(server_directory: Path, certificates: Certificates) -> Iterator[EncryptedMongo]:
    server = EncryptedMongo(server_directory, certificates)
    server.start()
    yield server
    server.stop()


@pytest.fixture
async def redis(redis_url: str, certificates: Certificates) -> AsyncIterator[Wire]:
    async with wire(redis_url, certificates.context) as encrypted:
        encrypted.url = encrypted.url.replace("http://", "rediss://")
        yield encrypted


@pytest.mark.parametrize("driver", get_args(Driver))
async def test_an_order_completes(
    driver: Driver, mongo: EncryptedMongo, redis: Wire, certificates: Certificates
) -> None:
    authority = certificates.authority
    urls = (f"{mongo.encrypted_url}&tlsCAFile={authority}", f"{redis.url}?ssl_ca_certs={authority}")
    settings = settings_for(*urls, mongo_driver=driver)
    async with participating(settings), serving(settings) as client:
        answer = await client.post("/v1/sagas", json=ordering(), headers={"Prefer": "wait=15"})
        assert answer.json()["status"] == "completed"


@pytest.mark.parametrize("driver", get_args(Driver))
async def test_a_mongodb_that_is_not_trusted_is_told_so(driver: Driver, mongo: EncryptedMongo) -> None:
    client = Mongo.connect(mongo.encrypted_url, driver=driver)
    try:
        with pytest.raises(Unavailable, match=re.escape(UNTRUSTED)):
            await client.ping()
    finally:
        await client.close()


async def test_a_redis_that_is_not_trusted_is_told_so(redis: Wire) -> None:
    world = RedisWorld(redis.url, "t.")
    bus = world.bus()
    (problem,) = await bus.problems()
    assert UNTRUSTED in problem
    await asyncio.gather(bus.stop(), world.client.aclose())
