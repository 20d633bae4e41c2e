"""What the parts of one Redis bus have in common."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from random import Random
from typing import TypeAlias

from adapters.bus import Delivery, OnSettle
from adapters.clock import Clock
from adapters.streams.connection import Backoff, Client
from adapters.streams.counts import Counts
from adapters.streams.names import Streams
from adapters.streams.outages import Outages
from adapters.streams.pipeline import Pipeline
from adapters.streams.publisher import Publisher
from adapters.streams.settings import StreamSettings

#: Called with each delivery that becomes a dead letter, and the reason, before it is on the dead letter stream.
OnDead: TypeAlias = Callable[[Delivery, str], Awaitable[None]]


@dataclass(slots=True)
class Watchers:
    """Who is told of what happens on the bus: nobody, unless somebody asks."""

    on_settle: OnSettle | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """One bus's client, names and settings; handed to its consumers and guardians."""

    client: Client
    pipeline: Pipeline
    publisher: Publisher
    streams: Streams
    settings: StreamSettings
    clock: Clock
    rng: Random
    consumer: str  #: this process's name in every group
    on_dead: OnDead | None = None
    counts: Counts = field(default_factory=Counts)
    watchers: Watchers = field(default_factory=Watchers)
    outages: Outages = field(default_factory=Outages)
    stopping: asyncio.Event = field(default_factory=asyncio.Event)

    def backoff(self) -> Backoff:
        """A new series of pauses."""
        return Backoff(self.clock, self.rng, self.settings, self.stopping)
