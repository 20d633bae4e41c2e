"""MongoDB and Redis by testcontainers.

testcontainers is imported where it is used: it is slow to load. It takes its own variables (`DOCKER_HOST`,
`TESTCONTAINERS_…`) as they are; nothing here needs them.
"""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from adapters.servers import initiate_replica_set, mongod, redis

MONGO, REDIS = "mongo:7", "redis:7"
_ANSWER_TIMEOUT_S = 5
_START_TIMEOUT_S = 60


@cache
def why_none() -> str | None:
    """Why there can be no containers here and now; None where there can. Pulls nothing, and takes seconds at most."""
    from testcontainers.core.config import testcontainers_config  # noqa: PLC0415 - see above
    from testcontainers.core.docker_client import DockerClient  # noqa: PLC0415

    try:
        images = DockerClient(timeout=_ANSWER_TIMEOUT_S).client.images
        tags = {tag for image in images.list() for tag in image.tags}
        # Ryuk removes the containers of whoever is killed.
        wanted = [MONGO, REDIS, *([] if testcontainers_config.ryuk_disabled else [testcontainers_config.ryuk_image])]
        if missing := [name for name in wanted if name not in tags]:
            return f"not all images are here, and tests pull none by themselves: docker pull {' '.join(missing)}"
        with redis_container():
            return None
    except Exception as error:  # noqa: BLE001 - whatever is the matter with Docker, and each library has its own errors
        return f"{type(error).__name__}: {str(error).strip().splitlines()[0][:150]}"


@contextmanager
def mongo_container() -> Iterator[str]:
    """The URL of a replica set of one (testcontainers' own `MongoDbContainer` is standalone: no transactions)."""
    command = " ".join(["--bind_ip_all", *mongod.OPTIONS])
    with _running(MONGO, command, 27017, "Waiting for connections") as address:
        initiate_replica_set(address, "127.0.0.1:27017")
        # Direct: the set knows its member by an address that only exists inside the container.
        yield f"mongodb://{address}/?directConnection=true"


@contextmanager
def redis_container() -> Iterator[str]:
    """The URL of a Redis."""
    options = [f"--{name} {value or repr('')}" for name, value in redis.OPTIONS.items()]
    command = " ".join(["redis-server", *options])
    with _running(REDIS, command, 6379, "Ready to accept connections") as address:
        yield f"redis://{address}/0"


@contextmanager
def _running(image: str, command: str, port: int, ready: str) -> Iterator[str]:
    """The address at which the container's port can be reached. Raises `OSError` at once where it can't."""
    from testcontainers.core.container import DockerContainer  # noqa: PLC0415 - see above
    from testcontainers.core.wait_strategies import LogMessageWaitStrategy  # noqa: PLC0415

    said = LogMessageWaitStrategy(ready).with_startup_timeout(_START_TIMEOUT_S)
    container: Any = DockerContainer(image).with_command(command).with_exposed_ports(port).waiting_for(said)
    with container:
        host, outside = container.get_container_host_ip(), int(container.get_exposed_port(port))
        socket.create_connection((host, outside), _ANSWER_TIMEOUT_S).close()
        yield f"{host}:{outside}"
