"""The load: lanes that each start a group of sagas and, when the group has ended, the next one. It knows no HTTP."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Protocol

from cli.bench.plan import Order


class Target(Protocol):
    """What takes sagas."""

    group: int  #: sagas that it is given at once

    async def run(self, orders: Sequence[Order]) -> None:
        """Start the group; return when it has ended, or its last one has, which is about the same. Raises `Failure`."""
        ...


MOST_TOGETHER = 250  #: sagas of one lane


def group_size(in_flight: int) -> int:
    """Sagas of one lane: at least two lanes take turns, so that some sagas start while others end."""
    return max(1, in_flight // max(2, -(-in_flight // MOST_TOGETHER)))


def lane_count(in_flight: int, group: int) -> int:
    """Lanes that together have about that many in flight."""
    return max(1, in_flight // group)


async def drive(
    target: Target,
    orders: Iterator[Order],
    in_flight: int,
    stopped: Callable[[], bool],
    advance: Callable[[int], None],
) -> None:
    """Run all orders with about that many in flight; once stopped, start no more, and see those in hand to their end.

    `advance` is told of each group that has ended.
    """

    async def lane() -> None:
        while not stopped() and (group := list(islice(orders, target.group))):
            await target.run(group)
            advance(len(group))

    lanes = [asyncio.create_task(lane()) for _ in range(lane_count(in_flight, target.group))]
    try:
        await asyncio.gather(*lanes)
    finally:
        for each in lanes:
            each.cancel()
        await asyncio.gather(*lanes, return_exceptions=True)
