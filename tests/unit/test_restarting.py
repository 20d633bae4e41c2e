"""What becomes of a transaction that meets others again and again."""

from random import Random
from typing import NoReturn

import pytest

from adapters.errors import Aborted, Conflict, Locked, Taken, Unavailable
from participants.inbox import restarting
from support.clock import ManualClock


async def test_a_lock_that_outlasts_every_try_is_nobodys_failure() -> None:
    """The locks of a process that died in a transaction: answering `failed` would compensate without a reason."""

    async def once() -> NoReturn:
        raise Locked("112")

    with pytest.raises(Unavailable):
        await restarting(once, ManualClock(), Random(1), tries=25)


@pytest.mark.parametrize(("conflict", "tries"), [(Conflict, 25), (Taken, 3), (Aborted, 3)])
async def test_a_conflict_that_never_ends_is_told_as_one(conflict: type[Conflict], tries: int) -> None:
    """A handler that breaks a unique index of its own, or takes too long, will do so for ever, and others wait."""
    tried = []

    async def once() -> NoReturn:
        tried.append(1)
        raise conflict("11000")

    with pytest.raises(conflict):
        await restarting(once, ManualClock(), Random(1), tries=25)
    assert len(tried) == tries


async def test_each_try_starts_over_until_one_gets_through() -> None:
    tries = []

    async def once() -> str:
        tries.append(1)
        if len(tries) < 3:
            raise Locked("112")
        return "done"

    assert await restarting(once, ManualClock(), Random(1), tries=25) == "done"
    assert len(tries) == 3
