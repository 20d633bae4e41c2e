"""The two buses behind one face, for the contract suite: how to make them, look into them and hurt them."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, Protocol

from redis.asyncio import Redis

from adapters.bus import Ack, Bus, Delivery, Entry, Verdict
from adapters.clock import SystemClock
from adapters.memory_bus import MemoryBus
from adapters.memory_server import MemoryServer
from adapters.streams.names import Streams
from adapters.streams.redis_bus import RedisBus
from adapters.streams.settings import StreamSettings
from adapters.streams.shared import OnDead
from support.waiting import eventually

#: Every time shortened, so that a rule about seconds is tested in milliseconds.
FAST = StreamSettings(
    block_ms=100,
    heartbeat_ms=1_000,
    heartbeat_every_s=0.05,
    tend_every_s=0.05,
    claim_idle_ms=20,
    backoff_first_s=0.01,
    backoff_cap_s=0.05,
    socket_timeout_s=1.0,
)


class World(Protocol):
    """One server, and any number of buses on it."""

    streams: Streams

    def bus(self, on_dead: OnDead | None = None) -> Bus: ...

    async def fields(self, stream: str) -> Sequence[Mapping[str, str]]: ...

    async def pending(self, stream: str, group: str) -> int: ...

    async def flush(self) -> None: ...

    async def destroy_group(self, stream: str, group: str) -> None: ...

    async def refuse(self, stream: str, *, refused: bool) -> None: ...

    async def aclose(self) -> None: ...


class MemoryWorld:
    """In memory."""

    def __init__(self) -> None:
        self.streams = Streams()
        self.server = MemoryServer(SystemClock())
        self.buses: list[MemoryBus] = []

    def bus(self, on_dead: OnDead | None = None) -> Bus:
        self.buses.append(MemoryBus(SystemClock(), self.server, retry_s=0.02, on_dead=on_dead))
        self.buses[-1].lease_s = FAST.heartbeat_ms / 1_000
        return self.buses[-1]

    async def fields(self, stream: str) -> Sequence[Mapping[str, str]]:
        return self.server.entries(stream)

    async def pending(self, stream: str, group: str) -> int:
        found = self.server.groups.get((stream, group))
        return len(found.pending) if found else 0

    async def flush(self) -> None:
        self.server.flush()

    async def destroy_group(self, stream: str, group: str) -> None:
        self.server.destroy_group(stream, group)

    async def refuse(self, stream: str, *, refused: bool) -> None:
        (self.server.refused.add if refused else self.server.refused.discard)(stream)

    async def aclose(self) -> None:
        for bus in self.buses:
            await bus.stop()


class RedisWorld:
    """On a real server, under a prefix of its own."""

    def __init__(self, url: str, prefix: str, settings: StreamSettings = FAST) -> None:
        self.url, self.settings = url, settings
        self.streams = Streams(prefix)
        self.client: Any = Redis.from_url(url, decode_responses=True, encoding_errors="backslashreplace")
        self.buses: list[RedisBus] = []

    def bus(self, on_dead: OnDead | None = None) -> RedisBus:
        bus = RedisBus(
            self.url,
            clock=SystemClock(),
            rng=Random(len(self.buses)),
            streams=self.streams,
            settings=self.settings,
            on_dead=on_dead,
        )
        self.buses.append(bus)
        return bus

    async def fields(self, stream: str) -> Sequence[Mapping[str, str]]:
        return [fields for _, fields in await self.client.xrange(stream)]

    async def pending(self, stream: str, group: str) -> int:
        return int((await self.client.xpending(stream, group))["pending"])

    async def flush(self) -> None:
        """What FLUSHALL does, for our prefix only: the server is shared."""
        keys = [key async for key in self.client.scan_iter(f"{self.streams.prefix}*", count=1_000)]
        await self.client.delete(*keys)

    async def destroy_group(self, stream: str, group: str) -> None:
        await self.client.xgroup_destroy(stream, group)

    async def refuse(self, stream: str, *, refused: bool) -> None:
        """A key of another type in the stream's place."""
        await self.client.delete(stream)
        if refused:
            await self.client.set(stream, "no stream")

    async def aclose(self) -> None:
        await asyncio.gather(*(bus.stop() for bus in self.buses))
        await self.flush()
        await self.client.aclose()


@dataclass
class RememberedPlaces:
    """Places in a dictionary: `adapters.bus.Places`."""

    by_stream: dict[str, str] = field(default_factory=dict)

    async def begin(self, stream: str, entry_id: str) -> str:
        return self.by_stream.setdefault(stream, entry_id)

    async def advance(self, stream: str, entry_id: str) -> None:
        self.by_stream[stream] = entry_id


@dataclass
class Recorder:
    """A handler that remembers its calls and answers as told; by default it acknowledges."""

    answer: Callable[[Delivery], Verdict] = lambda _: Ack()
    calls: list[Sequence[Delivery]] = field(default_factory=list)

    async def __call__(self, deliveries: Sequence[Delivery]) -> Sequence[Verdict]:
        self.calls.append(deliveries)
        return [self.answer(delivery) for delivery in deliveries]

    @property
    def names(self) -> list[str]:
        """The field `n` of every delivery, in order."""
        return [delivery.fields["n"] for call in self.calls for delivery in call]


def numbered(stream: str, *names: object) -> list[Entry]:
    """Entries that differ in the field `n`."""
    return [Entry(stream, {"n": str(name)}) for name in names]


async def time_enough(bus: Bus, other: str, meanwhile: Recorder) -> None:
    """Twenty entries come by another stream, one after the other: whatever could be handled has been."""
    for n in range(20):
        await bus.publish(numbered(other, n))
        await eventually(lambda: len(meanwhile.names) > n)  # noqa: B023 - it is waited for at once
