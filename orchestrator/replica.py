"""This orchestrator among others: the reply stream it is answered on, what it reads for those that died, its share.

A replica leases a *slot*, a small number, and its commands name the slot's stream in `replyto`: so replies meet the
cache that knows their sagas. What is left on the stream of a slot that nobody holds is adopted. All of it is for speed:
any replica may handle any reply, and everybody also reads the stream that all share, where others may answer too.

With partitions, or where no reply streams are wanted, a slot has no stream: then it stands for a share of the timers.
"""

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta

import structlog

from adapters.bus import Bus, Subscription
from adapters.errors import Unavailable
from adapters.streams.names import ORCHESTRATOR_GROUP, Streams
from orchestrator.engine import Engine
from orchestrator.replies import ReplyHandler
from orchestrator.sending_again import SendingAgain
from orchestrator.shares import WHOLE, Share

log = structlog.get_logger(__name__)

ADOPTED_FOR = timedelta(seconds=5)  #: how long an adopted stream is empty before it is left alone again
SLOTS = 16  #: where none of them has a stream
BATCHES = 2  #: while one waits for MongoDB or Redis, the other one's replies are decided


class Replica:
    """`subscribe` once, before the bus starts; then `run` is its loop, `beat` one round of it.

    Without a lease it is answered on the stream that all share, and every timer is its own.
    """

    def __init__(self, engine: Engine, bus: Bus, streams: Streams, *, reply_streams: int = 0) -> None:
        self._engine = engine
        self._bus = bus
        self._streams = streams
        # Partitions are shared by all: one for each of them and each replica would be too many to read.
        self._apart = reply_streams > 0 and streams.partitions == 1
        self._names = (
            [*map(streams.replica, range(reply_streams))] if self._apart else [*map(streams.sharer, range(SLOTS))]
        )
        self._handler = ReplyHandler(engine)
        # Not everybody notices that the group of a shared stream was lost: who does sends the others' share, too.
        self._send_again = SendingAgain(engine, lambda: self.share if self._apart else WHOLE, lambda: self.own_streams)
        self._adopted: dict[int, datetime] = {}  #: since when each seems empty
        self._in_use: frozenset[int] = frozenset()  #: slots that somebody holds, or on whose stream something is left
        self._lived: frozenset[str] = frozenset()  #: who held a slot at the last beat
        self.slot: int | None = None
        self.share = WHOLE

    @property
    def own_streams(self) -> Sequence[str]:
        """The reply streams that are read here."""
        return [*self._shared, *self._of(self._held)]

    @property
    def all_streams(self) -> Sequence[str]:
        """The reply streams on which something may be."""
        return [*self._shared, *self._of(self._in_use | self._held)]

    @property
    def _shared(self) -> Sequence[str]:
        return self._streams.all_of(self._streams.replies)

    @property
    def _held(self) -> frozenset[int]:
        return frozenset(self._adopted).union([] if self.slot is None else [self.slot])

    def _of(self, slots: Collection[int]) -> Sequence[str]:
        """The reply streams of these slots, where they have any."""
        return [self._streams.replies_of(slot) for slot in sorted(slots)] if self._apart else []

    def subscribe(self) -> None:
        """Read the stream that all share."""
        for stream in self._shared:
            self._read(stream)

    async def run(self) -> None:
        """Beat for ever; a server that is away is waited for, an unexpected error is logged and survived."""
        while True:
            try:
                await self.beat()
            except Unavailable as error:
                log.debug("beat-interrupted", reason=str(error))
            except Exception:
                log.exception("beat-failed")
            await self._engine.clock.sleep(self._bus.renew_every_s)

    async def beat(self) -> None:
        """Say that we live, and see who else does. Raises `Unavailable`."""
        await self._engine.store.ping()  # Who can't save what is answered must not keep it from those who can.
        holders = await self._lease(self._held)
        for slot in [slot for slot in self._held if holders.get(slot) != self._bus.consumer]:
            await self._leave(slot)
        if self.slot is None:
            holders = await self._take(holders)
        left = await self._left(holders)
        await self._adopt(left - holders.keys())
        await self._let_go(left)
        self._in_use = frozenset(holders) | left
        # With those of the last beat: on a wiped server the others may not have had the time to say that they live.
        living = sorted(set(holders.values()) | self._lived)
        self._lived = frozenset(holders.values())
        self.share = WHOLE if self.slot is None else Share(living.index(self._bus.consumer), len(living))

    async def stop(self) -> None:
        """Finish what is in hand, and leave the slots to others at once."""
        held = self._held
        for slot in held:
            await self._leave(slot)
        with suppress(Unavailable):
            await self._bus.release([self._names[slot] for slot in held])

    async def _lease(self, slots: Collection[int]) -> dict[int, str]:
        """Who holds which slot, after we have asked for these."""
        holders = await self._bus.lease([self._names[slot] for slot in slots], self._names)
        return {slot: holders[name] for slot, name in enumerate(self._names) if name in holders}

    async def _take(self, holders: Mapping[int, str]) -> dict[int, str]:
        """The lowest free slot: a process that is started again gets that of one that died, so streams stay few."""
        for slot in range(len(self._names)):
            if slot not in holders:
                holders = await self._lease([slot])
                if holders.get(slot) == self._bus.consumer:
                    self.slot = slot
                    for stream in self._of([slot]):
                        self._engine.announcer.replyto = stream
                        self._read(stream)
                    log.info("slot-taken", slot=slot)
                    break
        return dict(holders)

    async def _left(self, holders: Mapping[int, str]) -> set[int]:
        """The slots on whose streams something is left, among those that we have adopted or nobody holds."""
        if not self._apart:
            return set()
        asked = [slot for slot in range(len(self._names)) if slot in self._adopted or slot not in holders]
        streams = {self._streams.replies_of(slot): slot for slot in asked}
        left = await self._bus.unsettled(dict.fromkeys(streams, ORCHESTRATOR_GROUP)) if streams else ()
        return {streams[stream] for stream in left}

    async def _adopt(self, slots: Collection[int]) -> None:
        if not slots:
            return
        holders = await self._lease(slots)
        for slot in slots:
            if holders.get(slot) == self._bus.consumer:
                self._adopted[slot] = self._engine.clock.now()
                self._read(self._streams.replies_of(slot))
                log.info("replies-adopted", slot=slot)

    async def _let_go(self, left: Collection[int]) -> None:
        now = self._engine.clock.now()
        self._adopted.update((slot, now) for slot in left if slot in self._adopted)
        for slot in [slot for slot, since in self._adopted.items() if now - since >= ADOPTED_FOR]:
            await self._leave(slot)
            await self._bus.release([self._names[slot]])

    async def _leave(self, slot: int) -> None:
        self._adopted.pop(slot, None)
        if slot == self.slot:
            self.slot, self.share = None, WHOLE
            self._engine.announcer.replyto = self._streams.replies
            log.info("slot-left", slot=slot)
        for stream in self._of([slot]):
            await self._bus.unsubscribe(stream)

    def _read(self, stream: str) -> None:
        healed = self._send_again
        self._bus.subscribe(Subscription(stream, ORCHESTRATOR_GROUP, self._handler, healed, at_once=BATCHES))
