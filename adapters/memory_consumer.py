"""Hands entries of the bus in memory to their handlers and waits for verdicts, as adapters/streams/consumer.py does."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from adapters.bus import Delivery, Later, Subscription, Verdict
from adapters.errors import Unavailable
from adapters.laters import Laters
from adapters.memory_server import MemoryServer, Pending, Reader
from adapters.streams.verdicts import judge, judge_alone, log_raised
from sagas.values import replace

#: `True`: acknowledged; `None`: left by its handler; `False`: a server was away, which is never counted.
Settled = bool | None
Settle = Callable[[Subscription, Delivery, Verdict], Awaitable[Settled]]  #: may raise `Unavailable`, as for `False`


class MemoryConsumer:
    """That of one bus, for all its subscriptions."""

    def __init__(self, reader: Reader, server: MemoryServer, settle: Settle, alone_limit: int) -> None:
        self._reader = reader
        self._server = server
        self._settle = settle
        self._alone_limit = alone_limit
        self._later = Laters()
        self._came_to_something = False

    @property
    def waiting(self) -> set[asyncio.Task[None]]:
        """One task for each entry whose verdict is not known yet."""
        return self._later.tasks

    async def wait(self) -> bool:
        """Until every verdict is known; whether anything has come of one of them."""
        self._came_to_something = False
        await asyncio.gather(*self._later.tasks)
        return self._came_to_something

    async def together(self, subscription: Subscription, batch: Sequence[Pending]) -> None:
        """One call for all of them."""
        deliveries, now = [pending.delivery for pending in batch], list(batch)
        try:
            given = list(zip(batch, await judge(subscription, deliveries), strict=True))
            for pending, verdict in given:
                if isinstance(verdict, Later):
                    now.remove(pending)
                    self._wait_for(subscription, pending, verdict)
            for pending, verdict in given:
                if not isinstance(verdict, Later):
                    await self._settle(subscription, pending.delivery, verdict)
        except Unavailable:
            pass  # All stay pending, and nothing is counted.
        except Exception as error:  # noqa: BLE001 - whatever a handler's bug is, its entries come again, each alone
            log_raised(deliveries, error)
        finally:
            for pending in now:
                self._let_go(pending)

    async def alone(self, subscription: Subscription, pending: Pending) -> bool:
        """A call for one that was delivered before; whether something has come of it by now."""
        pending.owner, pending.in_hand = self._reader, True
        pending.alone += 1
        waiting, settled = False, None
        try:
            delivery = replace(pending.delivery, redelivered=True)
            verdict = await judge_alone(subscription, delivery, pending.alone, self._alone_limit)
            if isinstance(verdict, Later):
                waiting = True
                self._wait_for(subscription, pending, verdict)
                return False
            settled = await self._settle(subscription, delivery, verdict)
        except Unavailable:
            settled = False
        finally:
            if not waiting:
                self._let_go(pending)
        if settled is False:
            pending.alone -= 1
        return settled is not False

    def _let_go(self, pending: Pending) -> None:
        if pending.owner is self._reader:  # Others take it over from one that was killed.
            pending.in_hand = False

    def _wait_for(self, subscription: Subscription, pending: Pending, later: Later) -> None:
        entry_id = pending.delivery.entry_id

        def known() -> None:
            there = self._server.pending(subscription.stream, subscription.group, entry_id)
            if there is not None:
                self._let_go(there)
            self._reader.changed.set()

        self._later.add(pending.delivery, later, partial(self._settle_later, subscription, pending, later), known)

    async def _settle_later(self, subscription: Subscription, pending: Pending, later: Later) -> None:
        settled: Settled = None
        try:
            settled = await self._settle(subscription, pending.delivery, await later.verdict)
        except Unavailable:
            settled = False
        except Exception as error:  # noqa: BLE001 - as in `together`
            log_raised([pending.delivery], error)
        if settled is not False:
            self._came_to_something = True
        elif pending.alone:
            pending.alone -= 1
