"""Brings back entries that were delivered and never settled: our own left ones, dead consumers', and idle ones.

A consumer whose heartbeat has ended is dead, and its entries are claimed at once. One that never had a heartbeat (a
program in another language), and a live one that lost an answer on the way, are judged by how long the entry is idle.
"""

from collections.abc import Sequence
from math import ceil
from typing import Any

from adapters.bus import Subscription
from adapters.streams.connection import text, translating
from adapters.streams.consumer import Consumer
from adapters.streams.shared import Shared


class Takeover:
    """One subscription's; `step` runs about once a second."""

    def __init__(self, shared: Shared, subscription: Subscription, consumer: Consumer) -> None:
        self._shared = shared
        self._stream, self._group = subscription.stream, subscription.group
        self._consumer = consumer
        self.distrust_heartbeats()

    def distrust_heartbeats(self) -> None:
        """Redis was away, full, or unknown until now: for a while a heartbeat that is missing says nothing.

        Else every consumer would take the others for dead at the end of an outage.
        """
        settings = self._shared.settings
        # In steps, not by the clock: a clock that is set back would stop the take-over for as long.
        self._distrusted_steps = ceil(settings.heartbeat_ms / 1_000 / settings.tend_every_s)

    async def step(self) -> None:
        """Raises `Unavailable` when Redis is away."""
        settings = self._shared.settings
        # Half the pace of tending: our own entry that was tried a moment ago waits for the next step.
        own_idle_ms = min(settings.claim_idle_ms, int(settings.tend_every_s * 500))
        left = [entry_id for entry_id in self._consumer.left if entry_id not in self._consumer.in_hand]
        for first in range(0, len(left), settings.takeover_slice):
            if not self._consumer.takes_over:
                return
            await self._consumer.claim(left[first : first + settings.takeover_slice], own_idle_ms)
        if self._distrusted_steps:
            self._distrusted_steps -= 1
        else:
            for name in await self._dead_consumers():
                await self._claim_pages(settings.claim_idle_ms, consumer=name)
        await self._claim_pages(int(settings.idle_takeover_s * 1_000), idle=True)

    async def _dead_consumers(self) -> Sequence[Any]:
        """Consumers with pending entries that once had a heartbeat and have none now."""
        shared = self._shared
        with translating():
            rows = await shared.client.xinfo_consumers(self._stream, self._group)
            names = [row["name"] for row in rows if row["pending"] and row["name"] != shared.consumer.encode()]
            if not names:
                return []
            pipeline = shared.client.pipeline(transaction=False)
            for name in names:
                pipeline.sismember(shared.streams.known_consumers(self._stream, self._group), name)
                pipeline.exists(shared.streams.heartbeat(self._stream, self._group, "").encode() + name)
            answers = await pipeline.execute()
        return [
            name
            for name, known, beating in zip(names, answers[::2], answers[1::2], strict=True)
            if known and not beating
        ]

    async def _claim_pages(self, min_idle_ms: int, *, consumer: Any = None, idle: bool = False) -> None:
        """Slice by slice, each listed right before it is claimed, so that two that take over share the work."""
        first, size = "-", self._shared.settings.takeover_slice
        while not self._shared.stopping.is_set() and self._consumer.takes_over:
            with translating():
                page = await self._shared.client.xpending_range(
                    self._stream,
                    self._group,
                    min=first,
                    max="+",
                    count=size,
                    consumername=consumer,
                    idle=min_idle_ms if idle else None,
                )
            ids = [text(row["message_id"]) for row in page]
            await self._consumer.claim(ids, min_idle_ms)
            if len(ids) < size:
                return
            first = f"({ids[-1]}"
