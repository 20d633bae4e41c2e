"""The bus on Redis Streams: what the application sees of this package.

A bus may lose, repeat, delay and reorder anything; what it never does is acknowledge an entry whose consequences are
not on their streams, go deaf without saying so in `problems`, or spin while a server refuses.
"""

import asyncio
import os
import socket
from collections.abc import Collection, Mapping, Sequence
from random import Random

from adapters.bus import Entry, OnPublish, OnSettle, Progress, Subscription
from adapters.clock import Clock
from adapters.errors import Unavailable
from adapters.streams import leases
from adapters.streams.address import Address, Kind
from adapters.streams.cluster_pipeline import pipeline_to
from adapters.streams.connection import close, connect, make_room, translating
from adapters.streams.counts import Counts
from adapters.streams.faststream_private import Broker, broker
from adapters.streams.figures import StreamFigures, figures
from adapters.streams.guardian import Guardian
from adapters.streams.masters import follow
from adapters.streams.names import Streams
from adapters.streams.progress import progress, unsettled
from adapters.streams.publisher import Publisher
from adapters.streams.readers import Readers, readers
from adapters.streams.settings import StreamSettings
from adapters.streams.shared import OnDead, Shared
from adapters.tasks import end

_PING_TIMEOUT_S = 2.0


class RedisBus:
    """Implements `adapters.bus.Bus`. One per process and consumer name; publishing works without `start`."""

    def __init__(
        self,
        url: str,
        *,
        clock: Clock,
        rng: Random,
        streams: Streams | None = None,
        consumer: str | None = None,
        settings: StreamSettings | None = None,
        on_dead: OnDead | None = None,
    ) -> None:
        settings = settings or StreamSettings()
        self.streams = streams or Streams()
        address, client = Address.parse(url), connect(url, settings)
        self.in_order = address.kind is not Kind.CLUSTER
        pipeline = pipeline_to(client, settings.socket_timeout_s)
        self._broker = broker(address, client, pipeline, settings)
        self._shared = Shared(
            client=client,
            pipeline=pipeline,
            publisher=Publisher(pipeline, self.streams, settings),
            streams=self.streams,
            settings=settings,
            clock=clock,
            rng=rng,
            consumer=consumer or unique_consumer(rng),
            on_dead=on_dead,
        )
        self._guardians: list[Guardian] = []
        self._started = False
        self._following: asyncio.Task[None] | None = None
        self._asked: asyncio.Task[None] | None = None

    @property
    def consumer(self) -> str:
        """This process's name in every group it reads with."""
        return self._shared.consumer

    @property
    def renew_every_s(self) -> float:
        """How often a lease is to be renewed."""
        return self._shared.settings.heartbeat_every_s

    @property
    def broker(self) -> Broker:
        """FastStream's broker, for `FastStream(bus.broker, on_startup=[bus.start], on_shutdown=[bus.stop])`."""
        return self._broker

    @property
    def counts(self) -> Counts:
        """What has happened so far, for metrics."""
        return self._shared.counts

    def watch(self, on_publish: OnPublish) -> None:
        """Tell of everything that is published, also of what handlers' verdicts cause."""
        self._shared.publisher.on_publish = on_publish

    def watch_settling(self, on_settle: OnSettle) -> None:
        """Tell of everything that is acknowledged."""
        self._shared.watchers.on_settle = on_settle

    async def publish(self, entries: Sequence[Entry]) -> Sequence[Unavailable | None]:
        """Append the entries in order; one result each, `None` where the entry is on its stream."""
        return await self._shared.publisher.publish(entries)

    def subscribe(self, subscription: Subscription) -> None:
        """Register a subscription; one that comes after `start` is read at once. A stopped bus takes none."""
        if self._shared.stopping.is_set():
            return
        self._guardians.append(Guardian(self._shared, subscription, self._broker, late=self._started))
        make_room(self._shared.client, self._shared.settings, len(self._guardians))
        if self._started:
            self._guardians[-1].start()

    async def unsubscribe(self, stream: str) -> None:
        """Read the stream no more, once the batch in hand is done."""
        leaving = [guardian for guardian in self._guardians if guardian.stream == stream]
        drain_s = self._shared.settings.drain_timeout_s
        await asyncio.gather(*(guardian.stop(drain_s) for guardian in leaving))
        self._guardians = [guardian for guardian in self._guardians if guardian not in leaving]

    async def lease(self, wanted: Collection[str], names: Sequence[str]) -> Mapping[str, str]:
        """Take or renew each wanted name that nobody else holds; then who holds which of the names, by name."""
        return await leases.lease(self._shared, wanted, names)

    async def release(self, names: Collection[str]) -> None:
        """Give up those of the names that this process holds."""
        await leases.release(self._shared, names)

    async def start(self) -> None:
        """Begin to deliver. Returns at once also while Redis is away: the guardians keep trying."""
        self._started = True
        await self._broker.connect()
        self._following = asyncio.create_task(follow(self._shared.client, self._shared.clock, self.renew_every_s))
        for guardian in self._guardians:
            guardian.start()

    async def stop(self, drain_s: float | None = None) -> None:
        """Finish the batches in hand, for as long as the settings or `drain_s` say, then stop delivering.

        The bus is not used again, but to be stopped once more where that has been interrupted.
        """
        self._shared.stopping.set()
        drain_s = self._shared.settings.drain_timeout_s if drain_s is None else drain_s
        await asyncio.gather(*(guardian.stop(drain_s) for guardian in self._guardians))
        await end([task for task in (self._following, self._asked) if task is not None])
        await self._broker.stop()
        await close(self._shared.client)

    async def problems(self) -> Sequence[str]:
        """What is wrong right now, in words; empty when Redis answers and every subscription is being read."""
        problems = [] if self._started or not self._guardians else ["the bus has not been started"]
        try:
            async with asyncio.timeout(_PING_TIMEOUT_S):
                await self._answers()
        except (Unavailable, TimeoutError) as error:
            problems.append(f"Redis does not answer: {str(error) or 'timeout'}")
        return problems + [problem for guardian in self._guardians if (problem := guardian.problem())]

    async def _answers(self) -> None:
        """Raises `Unavailable`. Not interrupted: while a cluster is looked for, that ends all connections to it."""
        if self._asked is None or self._asked.done():
            self._asked = asyncio.create_task(self._ping())
        await asyncio.shield(self._asked)

    async def _ping(self) -> None:
        with translating():
            await self._shared.client.ping()

    async def figures(self, streams: Sequence[str]) -> Sequence[StreamFigures]:
        """Lengths, lags and what is pending of these streams, for metrics. Raises `Unavailable`."""
        return await figures(self._shared.client, self.streams, streams)

    async def readers(self, streams: Sequence[str]) -> Sequence[Readers]:
        """Who reads these streams in groups of ours, for metrics. Raises `Unavailable`."""
        return await readers(self._shared.client, self.streams, streams, self._shared.settings.idle_takeover_s)

    async def unsettled(self, groups: Mapping[str, str]) -> Collection[str]:
        """The streams, of those mapped to their groups, with anything unread or unacknowledged."""
        return await unsettled(self._shared.pipeline, groups)

    async def progress(self, groups: Mapping[str, str]) -> Mapping[str, Progress]:
        """How far each stream's group has come, by our clock; see `adapters.bus.Bus`."""
        return await progress(self._shared.pipeline, groups, self._shared.clock)


def unique_consumer(rng: Random) -> str:
    """A consumer name that no other process has: host, process, and a random part for a process id used again."""
    return f"{socket.gethostname()}-{os.getpid()}-{rng.getrandbits(32):08x}"
