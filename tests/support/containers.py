"""MongoDB and Redis by testcontainers, for machines with Docker and without the servers' wheels.

testcontainers is imported where it is used: it is slow to load, and seldom needed.
"""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from adapters.servers import initiate_replica_set
from adapters.servers.mongod import REPLICA_SET

_START_TIMEOUT_S = 60


def docker_answers() -> bool:
    """Whether a Docker daemon can be reached."""
    docker = shutil.which("docker")
    return bool(docker) and subprocess.run([str(docker), "info"], capture_output=True, check=False).returncode == 0


@contextmanager
def mongo_container() -> Iterator[str]:
    """The URL of a replica set of one (testcontainers' own `MongoDbContainer` is standalone: no transactions)."""
    from testcontainers.core.container import DockerContainer  # noqa: PLC0415 - see above
    from testcontainers.core.wait_strategies import LogMessageWaitStrategy  # noqa: PLC0415

    ready = LogMessageWaitStrategy("Waiting for connections").with_startup_timeout(_START_TIMEOUT_S)
    container = DockerContainer("mongo:7").with_command(f"--replSet {REPLICA_SET} --bind_ip_all")
    with container.with_exposed_ports(27017).waiting_for(ready) as mongo:
        address = f"{mongo.get_container_host_ip()}:{mongo.get_exposed_port(27017)}"
        initiate_replica_set(address, "127.0.0.1:27017")
        # Direct: the set knows its member by an address that only exists inside the container.
        yield f"mongodb://{address}/?directConnection=true"


@contextmanager
def redis_container() -> Iterator[str]:
    """The URL of a Redis."""
    from testcontainers.community.redis import RedisContainer  # noqa: PLC0415 - see above

    with RedisContainer("redis:7") as redis:
        yield f"redis://{redis.get_container_host_ip()}:{redis.get_exposed_port(6379)}/0"
