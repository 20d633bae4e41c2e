"""What is old goes in batches, with rests in between, whatever is away meanwhile."""

import asyncio
from collections.abc import Sequence
from datetime import datetime

import pytest

from adapters.errors import Conflict, Unavailable
from adapters.purging import LOOK_EVERY_S, RESTS, keep_purging
from support.clock import ManualClock


async def slept(outcomes: Sequence[int | Exception], batch_s: float = 0.5) -> list[float]:
    """The pauses between batches with these outcomes; the run is ended at the next one."""
    clock, begun, pauses, coming = ManualClock(), list[datetime](), list[float](), iter(outcomes)

    async def purge() -> int:
        pauses.append((clock.now() - begun[-1]).total_seconds() if begun else 0.0)
        outcome = next(coming, None)
        if outcome is None:
            raise asyncio.CancelledError
        clock.advance(batch_s)
        begun.append(clock.now())
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    with pytest.raises(asyncio.CancelledError):
        await keep_purging("things", purge, clock)
    return pauses[1:]


async def test_batch_follows_batch_until_nothing_is_left_and_each_is_followed_by_a_longer_rest() -> None:
    assert await slept([500, 500, 3, 0]) == [RESTS * 0.5, RESTS * 0.5, RESTS * 0.5, LOOK_EVERY_S]


async def test_a_batch_that_took_no_time_is_followed_by_a_rest_too() -> None:
    assert (await slept([1, 0], batch_s=0))[0] > 0


@pytest.mark.parametrize("error", [Unavailable("away"), Conflict("somebody else"), RuntimeError("a bug")])
async def test_an_error_ends_a_turn_and_never_the_purging(error: Exception) -> None:
    assert await slept([500, error, 500, 0]) == [RESTS * 0.5, LOOK_EVERY_S, RESTS * 0.5, LOOK_EVERY_S]
