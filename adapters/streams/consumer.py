"""Hands the entries of one subscription to its handler, publishes what they caused, then acknowledges them.

The XADDs come first and each result is checked; only then XACK, and only for entries whose XADDs all succeeded. In
one pipeline with the XACK a full server would lose the command and acknowledge the reply that caused it.

One turn at a time: fresh batches, or a slice of entries that come again, each in a call of its own: a poisonous one
would take its batch along each time. How often that was is counted in Redis *before* the call, so that an entry that
kills the process is counted too; a server that is away never counts. Where the verdict comes later, others go on
meanwhile, unless the entry is a suspect, which was tried by itself before: then everybody waits for it.

While a large batch waits for a server the next is worked on, where the handler allows it. A small one is waited for:
the next grows meanwhile, and a batch costs nearly the same however small it is.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from functools import partial

import structlog

from adapters.bus import Dead, Delivery, Entry, Later, Leave, Subscription, Verdict
from adapters.errors import Unavailable
from adapters.laters import Laters
from adapters.streams.alone_counts import AloneCounts
from adapters.streams.burial import bury, can_do_without
from adapters.streams.claims import Claims, Place
from adapters.streams.connection import Backoff, text
from adapters.streams.faststream_private import RawEntry
from adapters.streams.ids import parse_id
from adapters.streams.pipeline import Command, answered
from adapters.streams.publisher import WrongType
from adapters.streams.shared import Shared
from adapters.streams.turns import Turns
from adapters.streams.verdicts import judge, judge_alone, log_raised, names, without_words
from adapters.tasks import end
from sagas.values import replace

log = structlog.get_logger(__name__)

LARGE = 50  #: entries of a batch that is not waited for


class Consumer:
    """One subscription's consumer in this process. Its methods never raise for what a handler or Redis does."""

    def __init__(self, shared: Shared, subscription: Subscription, backoff: Backoff) -> None:
        self._shared = shared
        self._subscription = subscription
        self._backoff = backoff
        self._turns = Turns()
        self._batches: set[asyncio.Task[None]] = set()
        self._later = Laters()
        self._counts = AloneCounts(shared, subscription.stream, subscription.group)
        self._claims = Claims(shared, subscription.stream, subscription.group)
        self.left: dict[str, None] = {}  #: ids delivered to us and neither settled nor in hand, oldest first
        self.in_hand: set[str] = set()  #: ids being handled or waiting for their turn in this process
        self.furthest = (0, 0)  #: the newest id our group is known to have been delivered

    async def batch(self, raw: Sequence[RawEntry]) -> None:
        """Handle fresh entries in one call; returns when others may be read, which may be before these are settled."""
        deliveries = [self._delivery(entry_id, fields) for entry_id, fields in raw]
        self.furthest = max(self.furthest, parse_id(deliveries[-1].entry_id))
        ids = [delivery.entry_id for delivery in deliveries]
        self.in_hand.update(ids)
        self.left.update(dict.fromkeys(ids))  # Until settled: whatever goes wrong below, they come again.
        task = asyncio.create_task(self._fresh(deliveries))
        self._batches.add(task)
        task.add_done_callback(self._batches.discard)
        at_once = self._subscription.at_once if len(ids) >= LARGE else 1
        while len(self._batches) >= at_once:
            await asyncio.wait(self._batches, return_when=asyncio.FIRST_COMPLETED)
        while self._is_full:
            await self._later.one()

    @property
    def busy(self) -> bool:
        """Whether entries are in hand for which the reader waits."""
        return self._is_full or len(self.in_hand) > len(self._later)

    @property
    def _is_full(self) -> bool:
        """Of fresh entries whose verdict is not known. Those that come again have room of their own."""
        return len(self._later) - len(self._later.again) >= self._shared.settings.max_records

    @property
    def takes_over(self) -> bool:
        """Whether there is room for more entries that come again."""
        return len(self._later.again) < self._shared.settings.max_records

    async def finish(self, within_s: float) -> None:
        """Wait for what is in hand and for what becomes of it, then give up what takes longer: that never counts."""
        until = time.monotonic() + within_s
        while at_work := self._batches | self._later.tasks:
            _, slow = await asyncio.wait(at_work, timeout=max(0.0, until - time.monotonic()))
            given_up = [*self._later.again] if slow else []
            await end(slow)
            for entry_id in given_up:
                await self._counts.take_back(entry_id)

    async def _fresh(self, deliveries: Sequence[Delivery]) -> None:
        """Those that were not settled together are tried alone at once."""
        try:
            async with self._turns.in_company():
                again = await self._together(deliveries)
            if again:
                async with self._turns.alone():
                    for delivery in again:
                        await self._alone(replace(delivery, redelivered=True))
        finally:
            done = {delivery.entry_id for delivery in deliveries} - self._later.ids
            self.in_hand.difference_update(done)

    async def claim(self, ids: Sequence[str], min_idle_ms: int) -> None:
        """Claim entries and handle each alone, in one turn. Others that take over find them too fresh to claim."""
        wanted = [entry_id for entry_id in ids if entry_id not in self.in_hand]
        if not wanted:
            return  # Without waiting for a turn: what else there is to tend must not stand behind a slow handler.
        async with self._turns.alone():
            taken = await self._claims.take(wanted, min_idle_ms)
            deliveries = [replace(self._delivery(*raw), redelivered=True) for raw in taken]
            claimed = dict.fromkeys(delivery.entry_id for delivery in deliveries)
            self._shared.counts.taken_over += len(claimed.keys() - self.left.keys())
            self.in_hand.update(claimed)
            self.left.update(claimed)
            try:
                for delivery in deliveries:
                    await self._alone(delivery)
            finally:
                self.in_hand.difference_update(claimed.keys() - self._later.ids)
        for entry_id in wanted:
            if entry_id not in claimed:
                await self._not_claimed(entry_id)

    async def keep(self) -> None:
        """Say of entries whose verdict is not known yet that they are in hand. Raises `Unavailable`."""
        if self._later:
            await self._claims.keep(self._later.ids, most=len(self.left) + 1)

    async def _not_claimed(self, entry_id: str) -> None:
        """Too fresh, somebody else's by now, settled, or gone."""
        place = await self._claims.place(entry_id)
        if place is Place.OURS:
            return
        self.left.pop(entry_id, None)
        if place is Place.GONE:
            self._shared.counts.vanished += 1
            stream, group = self._subscription.stream, self._subscription.group
            log.warning("entry-vanished", stream=stream, group=group, entry_id=entry_id)

    async def _together(self, deliveries: Sequence[Delivery]) -> Sequence[Delivery]:
        """One handler call for all; returns those that have to be tried alone."""
        now = deliveries
        try:
            now, verdicts = self._known(deliveries, await judge(self._subscription, deliveries))
            unsettled = await self._settle(now, verdicts) if now else {}
        except Unavailable as error:
            await self._away(error)
            return now
        except Exception as error:  # noqa: BLE001 - a handler's bug leaves its entries pending, whatever it was
            log_raised(deliveries, error)
            return now
        if unsettled:
            await self._away(next(iter(unsettled.values())))
        elif now:
            self._backoff.reset()
        return [delivery for delivery in deliveries if delivery.entry_id in unsettled]

    def _known(
        self, deliveries: Sequence[Delivery], verdicts: Sequence[Verdict | Later]
    ) -> tuple[Sequence[Delivery], Sequence[Verdict]]:
        """Those whose verdict is known; each of the others stays in hand until its own is."""
        known: list[Delivery] = []
        theirs: list[Verdict] = []
        for delivery, verdict in zip(deliveries, verdicts, strict=True):
            if isinstance(verdict, Later):
                self._wait_for(delivery, verdict)
            else:
                known.append(delivery)
                theirs.append(verdict)
        return known, theirs

    def _wait_for(self, delivery: Delivery, later: Later) -> None:
        settling, known = partial(self._settle_one, delivery, later), partial(self.in_hand.discard, delivery.entry_id)
        self._later.add(delivery, later, settling, known)

    async def _alone(self, delivery: Delivery) -> None:
        """One try with one entry."""
        if self._shared.stopping.is_set():
            return
        counted = 0
        try:
            counted = await self._counts.add(delivery.entry_id)
            given = await judge_alone(self._subscription, delivery, counted, self._shared.settings.alone_limit)
            if isinstance(given, Later):
                self._wait_for(delivery, given)
            else:
                await self._settle_one(delivery, given)
        except Unavailable as error:
            await self._away(error, counted=delivery if counted else None)
        except asyncio.CancelledError:
            if counted and delivery.entry_id in self.left:  # Given up, not died of.
                await self._counts.take_back(delivery.entry_id)
            raise

    async def _settle_one(self, delivery: Delivery, given: Verdict | Later) -> None:
        """What stays unsettled is in `left` and comes again, alone, at the next tending."""
        try:
            verdict = await given.verdict if isinstance(given, Later) else given
            for error in (await self._settle([delivery], [verdict])).values():
                raise error
        except WrongType as error:
            log.warning("publishing-refused", **names(delivery), error=str(error))
        except Unavailable as error:
            await self._away(error, counted=delivery if delivery.redelivered else None)
        except Exception as error:  # noqa: BLE001 - a handler's bug, or entries that cannot be encoded: its own fault
            log_raised([delivery], error)
        else:
            self._backoff.reset()

    async def _settle(self, deliveries: Sequence[Delivery], verdicts: Sequence[Verdict]) -> Mapping[str, Unavailable]:
        """Publish, then acknowledge; returns the ids whose entries are not all on their streams."""
        entries: list[Entry] = []
        owners: list[str] = []
        settled: list[Delivery] = []
        buried: set[str] = set()
        for delivery, verdict in zip(deliveries, verdicts, strict=True):
            if isinstance(verdict, Leave):
                self._leave(delivery, verdict)
                continue
            if isinstance(verdict, Dead):
                caused = await bury(self._shared, delivery, verdict.reason)
                buried.add(delivery.entry_id)
            else:
                caused = verdict.publish
            entries += caused
            owners += [delivery.entry_id] * len(caused)
            settled.append(delivery)
        results = await self._shared.publisher.publish(entries) if entries else ()
        failed = {
            owner: error
            for entry, owner, error in zip(entries, owners, results, strict=True)
            if error is not None and not (owner in buried and self._can_do_without(entry, error))
        }
        settled = [delivery for delivery in settled if delivery.entry_id not in failed]
        await self._acknowledge(settled, counted=deliveries[0].redelivered)
        self._shared.counts.dead += len(buried.difference(failed))
        return failed

    def _can_do_without(self, entry: Entry, error: Unavailable) -> bool:
        return can_do_without(self._shared, entry, error, foreign=self._subscription.foreign is not None)

    async def _acknowledge(self, deliveries: Sequence[Delivery], *, counted: bool) -> None:
        if not deliveries:
            return
        watcher = self._shared.watchers.on_settle
        told = watcher(deliveries) if watcher else None
        ids = [delivery.entry_id for delivery in deliveries]
        acknowledge: Command = ("XACK", self._subscription.stream, self._subscription.group, *ids)
        forget: Command = ("HDEL", self._counts.key, *ids)
        await answered(self._shared.pipeline, [acknowledge, forget] if counted else [acknowledge])
        if told is not None:
            told()
        for entry_id in ids:
            self.left.pop(entry_id, None)
        self._shared.counts.settled += len(ids)

    async def _away(self, error: Unavailable, *, counted: Delivery | None = None) -> None:
        """A server is away: wait with the turn in hand, so that nothing more is read for nothing. It never counts."""
        if counted is not None:
            await self._counts.take_back(counted.entry_id)
        self._shared.counts.unavailable += 1
        log.warning("unavailable", stream=self._subscription.stream, error=str(error))
        await self._backoff.pause()

    def _leave(self, delivery: Delivery, verdict: Leave) -> None:
        self._shared.counts.left += 1
        log.info("entry-left", **names(delivery), reason=without_words(verdict.reason))

    def _delivery(self, entry_id: bytes, fields: Mapping[bytes, bytes]) -> Delivery:
        return Delivery(
            stream=self._subscription.stream,
            entry_id=entry_id.decode(),
            fields=_text(fields),
        )


def _text(fields: Mapping[bytes, bytes]) -> dict[str, str]:
    try:
        return {name.decode(): value.decode() for name, value in fields.items()}
    except UnicodeDecodeError:
        return {text(name): text(value) for name, value in fields.items()}
