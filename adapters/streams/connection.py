"""The one Redis client of a bus: how it is made, and how its errors become ours.

Every call to Redis outside FastStream's reader runs inside `translating()`, so that no caller knows redis-py.
"""

import asyncio
from random import Random
from typing import TYPE_CHECKING, Any, cast

from redis.asyncio import BlockingConnectionPool, Redis, RedisCluster
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialWithJitterBackoff, NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import DataError, RedisClusterException, RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

from adapters.clock import Clock
from adapters.errors import Unavailable
from adapters.streams.address import Address, Kind
from adapters.streams.masters import MasterPool
from adapters.streams.settings import StreamSettings

if TYPE_CHECKING:
    from collections.abc import Awaitable

Client = Redis

#: What a server or the network does to a call; a cluster that can't be reached is no `RedisError` to redis-py.
LOST = (RedisError, RedisClusterException, OSError, TimeoutError)

_AWAY = (RedisConnectionError, RedisTimeoutError, RedisClusterException, OSError, TimeoutError)

MOST_TO_A_NODE = 1_000  #: connections to one server of a cluster; each subscription has one, and a few are shared


def connect(url: str, settings: StreamSettings) -> Client:
    """A client that connects at its first command. Raises `BadAddress`, and `ValueError` as redis-py says it.

    Its pool makes callers wait instead of failing or growing.
    """
    address = Address.parse(url)
    connected = _connected(address, settings)
    if address.kind is Kind.CLUSTER:
        return _of_cluster(address, connected)
    options = {**_pooled(settings), **connected}
    if address.kind is Kind.SENTINEL:
        return Redis(connection_pool=MasterPool(address, **options))
    return Redis(connection_pool=BlockingConnectionPool.from_url(url, **options))


async def close(client: Client) -> None:
    """End every connection, those that are in use too."""
    await client.aclose()
    pool, nodes = getattr(client, "connection_pool", None), getattr(client, "nodes_manager", None)
    if pool is not None:
        await pool.aclose()
    if nodes is not None:  # Those of a cluster stay open where its last command failed.
        await nodes.aclose()
        await nodes.aclose("startup_nodes")


def make_room(client: Client, settings: StreamSettings, readers: int) -> None:
    """Each reader has one connection that waits, and who looks after it one more; the others are shared."""
    pool: Any = getattr(client, "connection_pool", None)
    if pool is not None:  # To a server of a cluster there are enough.
        pool.max_connections = settings.max_connections + 2 * readers


def _of_cluster(address: Address, options: dict[str, Any]) -> Client:
    """A client that knows which server has which keys. It has the methods of a client of one server."""
    # Not tried again here, and no new look at everything at each fifth redirection: both end every connection to every
    # server. Who wanted something tries again, and a redirection says what is to be known.
    options |= {"retry": Retry(NoBackoff(), 0), "reinitialize_steps": 0, "max_connections": MOST_TO_A_NODE}
    nodes = [ClusterNode(host, port) for host, port in address.nodes]
    account = {"username": address.username, "password": address.password}
    return cast(Client, cast(Any, RedisCluster)(startup_nodes=nodes, **account, **address.tls, **options))


def _pooled(settings: StreamSettings) -> dict[str, Any]:
    return {"max_connections": settings.max_connections, "timeout": settings.socket_timeout_s}


def _connected(address: Address, settings: StreamSettings) -> dict[str, Any]:
    """What holds for every connection."""
    return {
        **({"socket_keepalive": True} if address.networked else {}),  # redis-py's Unix sockets refuse to hear of it.
        "socket_timeout": settings.socket_timeout_s,
        "socket_connect_timeout": settings.socket_timeout_s,
        "health_check_interval": 15,
        # One quick second try: after a restart of the server every pooled connection is stale. A timeout is not
        # retried: the caller learns that the server is away, and the same entry is not added again and again.
        "retry": Retry(ExponentialWithJitterBackoff(base=0.05, cap=0.5), 2, supported_errors=(RedisConnectionError,)),
        # Redis 7.0 has no CLIENT SETINFO, so no list of rights can name it; refusals would fill the server's ACL LOG.
        "driver_info": None,
        # What cannot be UTF-8 becomes visible text on both ways, so that no entry can make an encoder raise.
        "encoding_errors": "backslashreplace",
    }


class translating:  # noqa: N801 - used as if it were a function
    """Turns whatever the server or the network refuses within its block into `Unavailable`.

    READONLY, OOM, NOPERM, LOADING and MISCONF are refusals like a lost connection: back off, nothing is counted.
    `DataError` is our own mistake and passes through.
    """

    __slots__ = ()  # A class, because a generator for each call would cost five times as much.

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, at: object) -> None:
        if isinstance(error, LOST) and not isinstance(error, DataError):
            raise unavailable(error) from error


class Away(Unavailable):
    """Not this or that is refused: the server is not there, not ready, or does not know us."""


def unavailable(error: BaseException) -> Unavailable:
    """The error in our words."""
    kind = Away if isinstance(error, _AWAY) else Unavailable
    return kind(f"Redis: {type(error).__name__}: {str(error)[:200]}")


def text(raw: object) -> str:
    """Text that Redis sent. Bytes that are no UTF-8 become visible escapes: no entry can make a decoder raise."""
    return raw.decode(errors="backslashreplace") if isinstance(raw, bytes) else str(raw)


class Backoff:
    """Pauses while a server is away: doubling, with full jitter, so that many processes don't return at once.

    See https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/.
    """

    def __init__(self, clock: Clock, rng: Random, settings: StreamSettings, stopping: asyncio.Event) -> None:
        self._clock = clock
        self._rng = rng
        self._first_s = settings.backoff_first_s
        self._cap_s = settings.backoff_cap_s
        self._stopping = stopping
        self._ceiling_s = self._first_s

    def reset(self) -> None:
        """It went well: the next pause is a short one again."""
        self._ceiling_s = self._first_s

    async def pause(self) -> None:
        """Wait; longer than the last time. Ends early when the bus stops."""
        # At least half the ceiling: a jitter down to zero would be a spin.
        delay_s = self._ceiling_s * (0.5 + self._rng.random() / 2)
        self._ceiling_s = min(self._cap_s, self._ceiling_s * 2)
        await wait(self._clock, delay_s, self._stopping)


async def wait(clock: Clock, seconds: float, stopping: asyncio.Event) -> None:
    """Wait that long, or until the bus stops."""
    waits: list[Awaitable[object]] = [clock.sleep(seconds), stopping.wait()]
    tasks = [asyncio.ensure_future(each) for each in waits]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
