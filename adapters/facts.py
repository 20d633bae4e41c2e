"""Facts about the outside world that may be unknown: looking for one never raises and never waits without a bound."""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias, TypeVar, Union

from adapters.clock import Clock
from adapters.errors import Unavailable

T = TypeVar("T")

#: Without the driver's own words: they quote what they don't understand, and that may be half a password.
BAD_URL = "the URL can't be understood; in a password, write / as %2F, : as %3A and @ as %40"


@dataclass(frozen=True, slots=True)
class Unknown:
    """A fact that could not be had, and why."""

    reason: str


Fact: TypeAlias = Union[T, Unknown]  # noqa: UP007 - `|` makes no generic alias


@dataclass(frozen=True, slots=True)
class Skew:
    """How far another clock is ahead of ours, give or take: the answer took that long on the way."""

    ahead: timedelta
    uncertainty: timedelta


async def attempt(probe: Awaitable[T], within_s: float) -> Fact[T]:
    """What the probe finds, or why it does not."""
    try:
        async with asyncio.timeout(within_s):
            return await probe
    except TimeoutError:
        return Unknown(f"no answer within {within_s:g} s")
    except Unavailable as error:
        return Unknown(str(error))
    except Exception as error:  # noqa: BLE001 - a probe that fails is an answer, and the others go on
        return Unknown(f"{type(error).__name__}: {str(error)[:300]}")


async def skew(clock: Clock, ask: Awaitable[datetime]) -> Skew:
    """How far the clock that is asked differs from this one: at the middle of the question, as NTP assumes."""
    before = clock.now()
    theirs = await ask
    after = clock.now()
    return Skew(theirs - (before + (after - before) / 2), (after - before) / 2)
