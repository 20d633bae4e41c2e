"""Watches over one subscription: its group, its reader, its heartbeat, and what was left behind.

FastStream's reader stops for good when the group is lost, and dies of any other refusal; neither is said aloud. So
three small loops run per subscription, and none of them ever ends by an error or spins while the server refuses:

    beat    says that this consumer lives, before the first read and then every second, and what it still has in hand
    watch   makes a lost group again at id 0, restarts a dead reader, and tells the application when a group was lost
    tend    brings back unsettled entries (takeover.py), trims, removes dead consumers' names (housekeeping.py)
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace

import structlog

from adapters.bus import Subscription
from adapters.errors import Unavailable
from adapters.streams import housekeeping
from adapters.streams.connection import translating, wait
from adapters.streams.consumer import Consumer
from adapters.streams.faststream_private import Broker, Reader
from adapters.streams.foreign import ForeignStream
from adapters.streams.ids import parse_id
from adapters.streams.pipeline import answered
from adapters.streams.publisher import create_group
from adapters.streams.shared import Shared
from adapters.streams.takeover import Takeover
from adapters.tasks import end

log = structlog.get_logger(__name__)


class Guardian:
    """Starts a subscription, keeps it alive, and stops it, whatever becomes of the bus's others.

    `late`: it was added to a bus that is at work. Then it is no problem that its first steps take their time.
    """

    def __init__(self, shared: Shared, subscription: Subscription, broker: Broker, *, late: bool = False) -> None:
        shared = self._shared = replace(shared, stopping=asyncio.Event())
        self._subscription = subscription
        self.stream, self.group = subscription.stream, subscription.group
        self.foreign = ForeignStream.of(shared, subscription)
        self._consumer = Consumer(shared, subscription, shared.backoff())
        self._reader = Reader(
            broker,
            self.stream,
            self.group,
            shared.consumer,
            self._consumer.batch,
            shared.settings,
            None if self.foreign is None else self.foreign.room,
        )
        self._takeover = Takeover(shared, subscription, self._consumer)
        self._tasks: list[asyncio.Task[None]] = []
        self._had_group = False
        self._doubtful = True  # Redis was away: the reader may be asleep for 5 s, or its group gone
        self._heal_owed = False
        self._trouble = "" if late else "not started"
        self._steps_to_upkeep = 0

    def start(self) -> None:
        """Begin; returns at once."""
        settings = self._shared.settings
        loops = (
            (self._beat, settings.heartbeat_every_s),
            (self._watch, settings.heartbeat_every_s),
            (self._tend, settings.tend_every_s),
        )
        self._tasks = [asyncio.create_task(self._loop(step, every_s)) for step, every_s in loops]

    async def stop(self, drain_s: float) -> None:
        """Wait for what is in hand, stop reading, and leave no name behind."""
        self._shared.stopping.set()
        await self._reader.stop()
        await self._consumer.finish(drain_s)
        if self._tasks:
            _, slow = await asyncio.wait(self._tasks, timeout=drain_s)
            await end(slow)
            await self._reader.stop()  # `watch` may have been about to start it, and `tend` to begin with an entry.
            await self._consumer.finish(drain_s)
        self._shared.outages.forget(self.stream)
        with suppress(Unavailable):
            await self._farewell()

    def problem(self) -> str | None:
        """What is wrong with this subscription, in words."""
        if (self._reader.alive and not self._doubtful) or not self._trouble:
            return None
        return f"{self.stream} is not being read by {self.group}: {self._reader.failure or self._trouble}"

    async def _loop(self, step: Callable[[], Awaitable[None]], every_s: float) -> None:
        backoff, stopping = self._shared.backoff(), self._shared.stopping
        while not stopping.is_set():
            try:
                await step()
            except Exception as error:  # noqa: BLE001 - a guardian that dies guards nothing
                self._tell(step, error)
                self._takeover.distrust_heartbeats()
                if step == self._watch:
                    self._doubtful, self._trouble = (True, str(error) or type(error).__name__)
                await backoff.pause()
            else:
                self._shared.outages.over(self.stream, step.__name__)
                backoff.reset()
                await wait(self._shared.clock, every_s, stopping)

    def _tell(self, step: Callable[[], Awaitable[None]], error: Exception) -> None:
        if isinstance(error, Unavailable):
            self._shared.outages.met(self.stream, step.__name__, error)
        else:
            log.warning("guardian-step-failed", stream=self.stream, step=step.__name__, exc_info=error)

    async def _beat(self) -> None:
        shared = self._shared
        known = ("SADD", shared.streams.known_consumers(self.stream, self.group), shared.consumer)
        beating = ("SET", self._heartbeat_key, "1", "PX", shared.settings.heartbeat_ms)
        await answered(shared.pipeline, [known, beating])
        with suppress(Unavailable):  # Others would take over what takes long, which costs a second call and no more.
            await self._consumer.keep()

    async def _watch(self) -> None:
        if not self._reader.alive or self._doubtful or await self._lost_group():
            await self._revive()
        if self._heal_owed and self._subscription.on_healed is not None:
            await self._tell_healed(self._subscription.on_healed)

    async def _revive(self) -> None:
        place = "0" if self.foreign is None else await self.foreign.place()
        with translating():
            created = await create_group(self._shared.client, self.stream, self.group, place)
            # Redis 7.0 knows a consumer only once it was given something: until then nobody would seem to read.
            await self._shared.client.xgroup_createconsumer(self.stream, self.group, self._shared.consumer)
        if self._had_group and (created or self._reader.lost_its_group or await self._lost_group()):
            self._note_healed()
        await self._beat()
        if not self._shared.stopping.is_set() and not (self._reader.alive and self._consumer.busy):
            await self._reader.stop()
            with translating():
                await self._reader.start(place)
            self._shared.counts.restarts += self._had_group
            log.info("reader-started", stream=self.stream, group=self.group)
        self._had_group, self._doubtful, self._trouble = True, False, "its reader has died"

    async def _lost_group(self) -> bool:
        """Whether the group is missing, or behind what it had delivered: made again, or rolled back with its server."""
        furthest = self._consumer.furthest  # Before the question: entries may arrive while it is on its way.
        with translating():
            if not await self._shared.client.exists(self.stream):
                return True
            rows = await self._shared.client.xinfo_groups(self.stream)
        delivered = next((row["last-delivered-id"] for row in rows if row["name"] == self.group.encode()), None)
        return delivered is None or parse_id(delivered) < furthest

    def _note_healed(self) -> None:
        log.warning("group-healed", stream=self.stream, group=self.group)
        self._shared.counts.healed += 1
        self._shared.publisher.forget_groups()
        self._consumer.furthest = (0, 0)
        self._heal_owed = True

    async def _tell_healed(self, on_healed: Callable[[str], Awaitable[None]]) -> None:
        try:
            await on_healed(self.stream)
        except Exception as error:  # Owed until it succeeds; the reader is not to blame.
            log.warning("on-healed-failed", stream=self.stream, exc_info=error)
        else:
            self._heal_owed = False

    async def _tend(self) -> None:
        if not self._had_group:
            return
        await self._takeover.step()
        if self._steps_to_upkeep <= 0:
            await self._upkeep()
            self._steps_to_upkeep = int(self._shared.settings.trim_every_s / self._shared.settings.tend_every_s)
        self._steps_to_upkeep -= 1

    async def _upkeep(self) -> None:
        shared, stream, group = self._shared, self.stream, self.group
        if self.foreign is None:
            await housekeeping.trim_settled(shared, stream)
        else:
            await self.foreign.remember()
        await housekeeping.remove_dead_consumers(shared, stream, group)
        await housekeeping.forget_alone_counts(shared, stream, group)
        if shared.publisher.published_events:
            await housekeeping.trim_events(shared)

    async def _farewell(self) -> None:
        """Whatever stayed pending may be taken over at once; without any, the name goes too."""
        with translating():
            await self._shared.client.delete(self._heartbeat_key)
        await housekeeping.remove_consumer(
            self._shared, self.stream, self.group, self._shared.consumer.encode(), min_idle_ms=0
        )
        if self.foreign is not None:
            await self.foreign.remember()

    @property
    def _heartbeat_key(self) -> str:
        return self._shared.streams.heartbeat(self.stream, self.group, self._shared.consumer)
