"""A load that does not wait for the service: each order is sent when it is due, whatever has been answered by then.

A load that starts a saga when another has ended spares a slow service, and hides how long people would have waited.
Here a saga's time counts from the moment when it was due, which its number tells: if the service, or this generator,
falls behind, that shows.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Protocol

from cli.bench.plan import Order

MOST_UNDER_WAY = 1_000  #: requests; fewer than a service takes at once
TICK_S = 0.02  #: what became due within it is sent together
_MOST_TOGETHER = 500  #: in one request


class Starting(Protocol):
    """What takes sagas and does not wait for their ends."""

    group: int  #: more than 1: it takes several at once

    async def start(self, orders: Sequence[Order]) -> None:
        """Return when they have been accepted. Raises `Failure`."""
        ...


async def offer(
    target: Starting,
    orders: Iterator[Order],
    rate: float,
    stopped: Callable[[], bool],
    advance: Callable[[int], None],
) -> datetime:
    """Send all orders, `rate` in a second; when the first one was due. Raises what the target raises.

    No more requests than `MOST_UNDER_WAY` are under way: beyond that sending waits, and the sagas that wait are late.
    """
    loop = asyncio.get_running_loop()
    room = asyncio.Semaphore(MOST_UNDER_WAY)
    begun, begun_at = loop.time(), datetime.now(UTC)
    together = _MOST_TOGETHER if target.group > 1 else 1
    sent = 0

    async def start(group: Sequence[Order]) -> None:
        try:
            await target.start(group)
            advance(len(group))
        finally:
            room.release()

    try:
        async with asyncio.TaskGroup() as under_way:
            while not stopped():
                count = due(loop.time() - begun, rate) - sent
                for first in range(0, count, together):
                    group = list(islice(orders, min(together, count - first)))
                    if not group:
                        return begun_at
                    await room.acquire()
                    under_way.create_task(start(group))
                    sent += len(group)
                await asyncio.sleep(pause_s(loop.time() - begun, rate, sent, together))
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from None
    return begun_at


def due(elapsed_s: float, rate: float) -> int:
    """How many orders are due by then; the first one at once."""
    return int(elapsed_s * rate) + 1


def pause_s(elapsed_s: float, rate: float, sent: int, together: int) -> float:
    """Until the next order is due; where several go together, until the next tick as well."""
    next_s = sent / rate - elapsed_s
    return max(0.0, next_s, TICK_S - elapsed_s % TICK_S if together > 1 else 0.0)
