"""The bus in memory: same contract as `adapters/streams/`, deterministic, no Redis.

For tests, which step it with `deliver` or `run_until_idle`, and for simulated failure runs, where it is started and
lives on their clock. Buses of one `MemoryServer` share its streams, as processes share one Redis. Whatever a caller
may rely on is stated by tests/contracts/test_bus_contract.py, which the real bus passes too.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta

from adapters.bus import Ack, Delivery, Entry, Leave, OnPublish, Progress, Subscription, Verdict
from adapters.clock import Clock
from adapters.errors import Unavailable
from adapters.memory_consumer import MemoryConsumer, Settled
from adapters.memory_foreign import delivered_at, settled_until
from adapters.memory_server import Group, MemoryServer, Pending
from adapters.streams.names import Streams
from adapters.streams.verdicts import dead_letters


class MemoryBus:
    """Implements `adapters.bus.Bus`."""

    def __init__(
        self,
        clock: Clock,
        server: MemoryServer | None = None,
        *,
        prefix: str = "saga.",
        max_records: int = 200,
        alone_limit: int = 5,
        retry_s: float = 1.0,
        on_dead: Callable[[Delivery, str], Awaitable[None]] | None = None,
    ) -> None:
        self._clock = clock
        self.server = server or MemoryServer(clock)
        self._consumer = MemoryConsumer(self, self.server, self._settle, alone_limit)
        self.streams = Streams(prefix)
        self._max_records = max_records
        self._retry_s = retry_s
        self.lease_s, self.renew_every_s = 3.0, 1.0
        self.in_order = True
        self._on_dead = on_dead
        self._on_publish: OnPublish | None = None
        self._subscriptions: list[Subscription] = []
        self._known_groups: dict[tuple[str, str], Group] = {}
        self._heals_owed: set[tuple[str, str]] = set()
        self._task: asyncio.Task[None] | None = None
        self._stopping = False
        self._retry_at = clock.now()
        self.changed = asyncio.Event()  #: there may be something to do
        self.server.buses.append(self)
        self.consumer = self.server.new_name()
        self.alive = True  #: a bus that is not alive loses what it held to the others

    def watch(self, on_publish: OnPublish) -> None:
        """Tell of everything that is published, also of what handlers' verdicts cause."""
        self._on_publish = on_publish

    async def publish(self, entries: Sequence[Entry]) -> Sequence[Unavailable | None]:
        """Append the entries in order; one result each."""
        published = self._on_publish(entries) if self._on_publish else None
        results = [self.server.add(entry) for entry in entries]
        if published is not None:
            published(results)
        for entry, result in zip(entries, results, strict=True):
            if result is None and (group := self.streams.own_group(entry.stream)) is not None:
                self.server.groups.setdefault((entry.stream, group), Group())
        return results

    async def progress(self, groups: Mapping[str, str]) -> Mapping[str, Progress]:
        """How far each stream's group has come; see `adapters.bus.Bus`."""
        self.server.check()
        asked = {stream: group for stream, group in groups.items() if stream not in self.server.refused}
        if groups and not asked:
            raise Unavailable("no stream can be asked")
        return {
            stream: Progress(*(self.server.first(stream, group, settled=settled) for settled in (False, True)))
            for stream, group in asked.items()
        }

    def subscribe(self, subscription: Subscription) -> None:
        """Register a subscription; one that comes after `start` is read at once."""
        self._subscriptions = [*self._subscriptions, subscription]
        self.changed.set()

    async def unsubscribe(self, stream: str) -> None:
        """Read the stream no more, once the batch in hand is finished; others take over what was left."""
        self._subscriptions = [each for each in self._subscriptions if each.stream != stream]
        self.server.wake()

    async def unsettled(self, groups: Mapping[str, str]) -> Collection[str]:
        """The streams, of those mapped to their groups, with anything unread or unacknowledged."""
        self.server.check()
        return {stream for stream, group in groups.items() if self.server.first(stream, group, settled=True)}

    async def lease(self, wanted: Collection[str], names: Sequence[str]) -> Mapping[str, str]:
        """Take or renew each wanted name that nobody else holds; then who holds which of the names, by name."""
        holders = self.server.lease(self.consumer, wanted, self.lease_s)
        return {name: holders[name] for name in names if name in holders}

    async def release(self, names: Collection[str]) -> None:
        """Give up those of the names that this process holds."""
        self.server.release(self.consumer, names)

    def reads(self, stream: str) -> bool:
        """Whether something here is subscribed to the stream."""
        return any(subscription.stream == stream for subscription in self._subscriptions)

    async def start(self) -> None:
        """Deliver in the background: at once what is new, and on the clock what has to be tried again."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Finish the batch in hand, then stop delivering; others take over what was left."""
        self._stopping = True
        self.changed.set()
        if self._task is not None:
            await self._task
        await self._consumer.wait()
        self._leave()

    def kill(self) -> None:
        """Stop in the middle of whatever is in hand, as SIGKILL does; others take it over."""
        for task in filter(None, [self._task, *self._consumer.waiting]):
            task.cancel()
        self._leave()

    def _leave(self) -> None:
        self.alive = False
        if self in self.server.buses:
            self.server.buses.remove(self)
        self.server.wake()

    async def problems(self) -> Sequence[str]:
        """Whether the server is down, or this bus dead."""
        return (["the server is down"] if self.server.down else []) + ([] if self.alive else ["the bus has stopped"])

    async def run_until_idle(self) -> None:
        """Deliver until nothing more can be done now; what only waits for a server that is away stays pending."""
        while await self.deliver() | await self._consumer.wait():
            pass

    async def deliver(self, *, again: bool = True) -> bool:
        """One round: each subscription's unsettled entries (with `again`), each alone, then one fresh batch.

        Returns whether anything moved.
        """
        moved = False
        for subscription in self._subscriptions:
            if self.alive and not self.server.down and self.reads(subscription.stream):
                group = await self._group(subscription)
                moved |= again and await self._deliver_again(subscription, group)
                moved |= await self._deliver_fresh(subscription, group)
        return moved

    async def _run(self) -> None:
        while not self._stopping:
            self.changed.clear()
            again = self._clock.now() >= self._retry_at
            if again:
                self._retry_at = self._clock.now() + timedelta(seconds=self._retry_s)
            if not await self.deliver(again=again):
                await self._wait()

    async def _wait(self) -> None:
        """Until something changed, or what was left is due again."""
        retrying = None
        foreign = any(subscription.foreign is not None for subscription in self._subscriptions)
        if foreign or self.server.down or any(group.pending for group in self.server.groups.values()):
            retrying = asyncio.ensure_future(self._look_again_later())
        try:
            await self.changed.wait()
        finally:
            if retrying is not None:
                retrying.cancel()

    async def _look_again_later(self) -> None:
        await self._clock.sleep(self._retry_s)
        self.changed.set()

    async def _deliver_again(self, subscription: Subscription, group: Group) -> bool:
        moved = False
        for pending in list(group.pending.values()):
            if pending.is_left_to(self):
                moved |= await self._consumer.alone(subscription, pending)
        return moved

    async def _deliver_fresh(self, subscription: Subscription, group: Group) -> bool:
        room = self._max_records if subscription.foreign is None else max(0, subscription.foreign.room())
        fresh = self.server.streams.get(subscription.stream, [])[group.delivered :][: min(room, self._max_records)]
        group.delivered += len(fresh)
        batch = [Pending(delivery, self) for delivery, _ in fresh]
        group.pending.update((pending.delivery.entry_id, pending) for pending in batch)
        if batch:
            await self._consumer.together(subscription, batch)
            await self._remember(subscription, group)
        return bool(batch)

    async def _group(self, subscription: Subscription) -> Group:
        key = (subscription.stream, subscription.group)
        if subscription.foreign is not None and key not in self.server.groups:
            delivered = await delivered_at(subscription.foreign, subscription.stream, self.server.ids(key[0]))
            self.server.groups.setdefault(key, Group(delivered))
        group = self.server.groups.setdefault(key, Group())
        if self._known_groups.get(key, group) is not group:
            self._heals_owed.add(key)
        self._known_groups[key] = group
        if key in self._heals_owed and subscription.on_healed is not None:
            with suppress(Unavailable):  # Owed until it succeeds.
                await subscription.on_healed(key[0])
                self._heals_owed.discard(key)
        return group

    async def _remember(self, subscription: Subscription, group: Group) -> None:
        """How far everything is settled, on a stream of others."""
        ids = self.server.ids(subscription.stream)[: group.delivered]
        if subscription.foreign is not None and ids:
            await subscription.foreign.places.advance(subscription.stream, settled_until(ids, group.pending))

    async def _settle(self, subscription: Subscription, delivery: Delivery, verdict: Verdict) -> Settled:
        if isinstance(verdict, Leave):
            return None
        entries = verdict.publish if isinstance(verdict, Ack) else await self._bury(delivery, verdict.reason)
        results = await self.publish(entries)
        if self.server.down or any(result is not None for result in results):
            return False
        await self.before_acknowledging(delivery)
        self.server.acknowledge(subscription.stream, subscription.group, delivery.entry_id)
        return True

    async def before_acknowledging(self, delivery: Delivery) -> None:
        """Called when an entry is about to be acknowledged; a simulated process may die here."""

    async def _bury(self, delivery: Delivery, reason: str) -> tuple[Entry, ...]:
        if self._on_dead is not None:
            await self._on_dead(delivery, reason)
        return dead_letters(delivery, reason, self._clock.now(), self.streams)
