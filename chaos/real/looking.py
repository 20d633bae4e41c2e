"""How a real run goes, told every half second to whoever watches it. It looks, and does nothing."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from adapters.clock import Clock
from adapters.errors import Unavailable
from adapters.mongo import Mongo
from chaos.real import evidence
from chaos.real.plan import Strike

EVERY_S = 0.5


@dataclass(frozen=True, slots=True)
class Look:
    """What there is to be seen. Times are seconds since 1970; of MongoDB what it said last."""

    phase: str
    begun: float  #: when the first saga was asked for; 0 before
    statuses: Mapping[str, int]  #: how many sagas there are, by status
    completed_at: float | None  #: when one more was seen to be completed
    strikes: Sequence[Strike]  #: in their order


Onlooker = Callable[[Look], None]


class Looked(Protocol):
    """A run, as far as it can be looked at."""

    phase: str
    begun: float

    @property
    def clock(self) -> Clock: ...
    def all_strikes(self) -> list[Strike]: ...


async def look(run: Looked, mongo: Mongo, onlooker: Onlooker) -> None:
    """Until cancelled."""
    statuses: Mapping[str, int] = {}
    completed_at: float | None = None
    while True:
        with suppress(Unavailable, TimeoutError):  # MongoDB is struck, too.
            async with asyncio.timeout(EVERY_S):
                seen = await evidence.statuses(mongo)
            if seen["completed"] > statuses.get("completed", 0):
                completed_at = run.clock.now().timestamp()
            statuses = seen
        onlooker(Look(run.phase, run.begun, statuses, completed_at, run.all_strikes()))
        await run.clock.sleep(EVERY_S)
