"""Connections to whoever is master, where Sentinels say who that is.

A master that is told to hand over, or that a broken network keeps from the Sentinels, goes on serving for seconds, and
all that it takes then is lost. So the Sentinels are asked every second, and not only when a connection breaks off.
"""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, cast

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import (
    MasterNotFoundError,
    Sentinel,
    SentinelConnectionPool,
    SentinelManagedConnection,
    SentinelManagedSSLConnection,
)
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ReadOnlyError, RedisError

from adapters.clock import Clock
from adapters.streams.address import Address
from adapters.tasks import end

ASK_WITHIN_S = 1.0  #: a Sentinel that does not answer within that is passed over


class MasterConnection(SentinelManagedConnection):
    """Leads to who was master when it was made.

    redis-py reconnects whenever a server says that it is read-only: without end, where Sentinels name that very one.
    """

    async def read_response(self, *arguments: Any, **options: Any) -> Any:
        """One answer. Raises `ConnectionError` where a read-only server is not the master any more."""
        try:
            return await super(SentinelManagedConnection, self).read_response(*arguments, **options)
        except ReadOnlyError:
            await self.leave_if_replaced()
            raise

    async def connect_to(self, address: tuple[str, int]) -> None:
        """As the base's. Who named a server to which there is no way is not believed again at once."""
        base: Any = super()
        try:
            await base.connect_to(address)
        except BaseException:  # A way that is too long is interrupted.
            cast(Any, self).connection_pool.doubt(address)
            raise

    async def leave_if_replaced(self) -> None:
        """Ask the Sentinels. Raises `ConnectionError` where they name another master, which the next command finds."""
        this: Any = self
        await this.connection_pool.get_master_address()
        if not this.should_reconnect():
            this.connection_pool.doubt((this.host, this.port))
            await this.connection_pool.get_master_address()
        if this.should_reconnect():
            await this.disconnect()
            raise RedisConnectionError("it was the master, and is no longer")


class _TlsMasterConnection(MasterConnection, SentinelManagedSSLConnection):
    """The same with TLS."""


class MasterPool(SentinelConnectionPool, BlockingConnectionPool):
    """Each connection leads to who was master when it was made; callers wait for one, as for a single server."""

    def __init__(self, address: Address, **options: Any) -> None:
        # Without a second try: the next Sentinel is asked, and the whole is tried again by whoever wanted it.
        asking = {"socket_timeout": ASK_WITHIN_S, "socket_connect_timeout": ASK_WITHIN_S}
        user = {name: address.options.get(f"sentinel_{name}") for name in ("username", "password")}
        sentinel: Any = cast(Any, Sentinel)(
            address.nodes, sentinel_kwargs={**asking, **user, **address.tls, "retry": Retry(NoBackoff(), 0)}
        )
        self._asking: asyncio.Task[Any] | None = None
        self._doubted = False
        account = {"db": address.db, "username": address.username, "password": address.password}
        kind = _TlsMasterConnection if address.tls else MasterConnection
        pooled: Any = super()
        pooled.__init__(address.master, sentinel, connection_class=kind, **account, **address.tls, **options)

    async def get_master_address(self) -> Any:
        """Host and port; all who want them at the same time share one answer."""
        if self._asking is None:
            self._asking = asyncio.create_task(self._ask())
            self._asking.add_done_callback(self._answered)
        return await asyncio.shield(self._asking)

    async def _ask(self) -> tuple[str, int]:
        """Where there is another master than before, no connection to that one is used any longer."""
        before, address = self.master_address, await self._found()
        self.master_address, self._doubted = address, False
        if before not in (None, address):
            in_use: Iterable[Any] = self._in_use_connections
            for connection in in_use:
                connection.mark_for_reconnect()
            await self.disconnect(inuse_connections=False)
        return address

    def doubt(self, address: tuple[str, int]) -> None:
        """The server there is no master: a Sentinel that the others can't reach would name it for ever.

        So who has named it is asked last. Does nothing where by now another one is master.
        """
        if address == self.master_address and not self._doubted:  # Many may find out at the same time.
            self._doubted = True
            sentinels: list[Redis] = self.sentinel_manager.sentinels
            sentinels.append(sentinels.pop(0))

    async def _found(self) -> tuple[str, int]:
        """What the first Sentinel says that answers; from then on that one is asked first.

        redis-py asks for everything that they know of their masters, which names a new one a second or two later.
        """
        sentinels: list[Redis] = self.sentinel_manager.sentinels
        for sentinel in [*sentinels]:
            with suppress(RedisError, OSError, TimeoutError):
                known: Any = await sentinel.sentinel_get_master_addr_by_name(self.service_name)
                if known:
                    sentinels.remove(sentinel)
                    sentinels.insert(0, sentinel)
                    return known[0].decode(), known[1]
        raise MasterNotFoundError(f"no Sentinel answers and knows {self.service_name}")

    def _answered(self, asking: asyncio.Task[Any]) -> None:
        self._asking = None
        if not asking.cancelled():
            asking.exception()  # Those who have asked may be gone.

    async def aclose(self) -> None:
        """End the connections to the Sentinels too."""
        if self._asking is not None:
            await end([self._asking])
        await super().aclose()
        for sentinel in self.sentinel_manager.sentinels:
            await sentinel.aclose()


async def follow(client: Redis, clock: Clock, every_s: float) -> None:
    """Notice every change of master, until cancelled; does nothing for a Redis that has only one."""
    pool = getattr(client, "connection_pool", None)  # That of a cluster has none.
    while isinstance(pool, MasterPool):
        with suppress(RedisError, OSError, asyncio.TimeoutError):  # Whoever needs the master says that there is none.
            await pool.get_master_address()
        await clock.sleep(every_s)
