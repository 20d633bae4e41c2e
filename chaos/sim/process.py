"""A simulated process: it may be paused or killed wherever it touches the outside world, and nowhere else.

A killed process does nothing more: whatever of it still runs meets `CancelledError` at its next touch. A paused one
goes on later, with what it had decided before: such a zombie must do no harm.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from random import Random
from typing import TypeVar

from adapters.errors import Conflict, Unavailable
from chaos.faults import Fault, Point, Subject, What
from chaos.sim.loop import VirtualClock, VirtualLoop
from chaos.sim.nemesis import Nemesis

T = TypeVar("T")


class PlannedFailure(Exception):
    """A handler fails because the run wants it to."""


LATENCY_S = 0.002  #: of a touch of the outside world, at most, when nothing is wrong


_TOLD = frozenset({Point.INSERT, Point.SAVE, Point.COMMIT})  #: what the trace tells also where nothing goes wrong

_RAISED: Mapping[What, tuple[type[Exception], str]] = {
    What.REFUSE: (Unavailable, "refused"),
    What.FORGET: (Unavailable, "done, and the answer was lost"),
    What.CONFLICT: (Conflict, "somebody else was first"),
    What.FAIL: (PlannedFailure, "planned"),
    What.FAIL_AFTER: (PlannedFailure, "planned, with all done"),
}


@dataclass(frozen=True, slots=True)
class Means:
    """What every process of a run is made with."""

    loop: VirtualLoop
    nemesis: Nemesis
    rng: Random
    store_outage: Callable[[float], None]  #: the orchestrators' store is away for so many seconds


class Process:
    """Alive until it is killed. Implements `adapters.clock.Clock`: the clock is the process's own."""

    def __init__(self, name: str, means: Means, *, skew_s: float = 0.0) -> None:
        self.name = name
        self.alive = True
        self._means = means
        self._clock = VirtualClock(means.loop, skew_s)
        self._resumed: asyncio.Event | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self.on_killed: Callable[[float], None] = lambda _: None

    # -- clock ---------------------------------------------------------------------------------------------------------

    def now(self) -> datetime:
        """Now, as this process sees it."""
        return self._clock.now()

    async def sleep(self, seconds: float) -> None:
        """Wait; a paused process oversleeps."""
        await self._clock.sleep(seconds)
        if self._resumed is not None or not self.alive:
            await self._running()

    # -- life ----------------------------------------------------------------------------------------------------------

    def run(self, work: Awaitable[None]) -> None:
        """Have something done in the background as long as the process lives."""
        self._tasks.append(asyncio.ensure_future(work))

    def kill(self, down_s: float = 0.0) -> None:
        """As SIGKILL: nothing is finished, nothing is said. It may be started again after that time."""
        if not self.alive:
            return
        self.alive = False
        self._means.nemesis.note(self.name, "killed")
        for task in self._tasks:
            task.cancel()
        self.resume()
        self.on_killed(down_s)

    def pause(self, for_s: float) -> None:
        """As SIGSTOP, and SIGCONT later."""
        if self._resumed is None:
            self._means.nemesis.note(self.name, f"paused for {for_s:g} s")
            self._resumed = asyncio.Event()
            self._means.loop.call_later(for_s, self.resume)

    def resume(self) -> None:
        """As SIGCONT."""
        if self._resumed is not None:
            self._resumed.set()
            self._resumed = None

    def later(self, seconds: float, do: Callable[[], None]) -> asyncio.TimerHandle:
        """Have something done that touches nothing outside."""
        return self._means.loop.call_later(seconds, do)

    def in_danger(self, point: Point) -> bool:
        """Whether any fault may strike there."""
        return self._means.nemesis.lurks(point)

    def latency_s(self) -> float:
        """How long the next touch of the outside world takes."""
        return self._means.rng.random() * LATENCY_S

    # -- touching the outside world ------------------------------------------------------------------------------------

    async def touch(self, point: Point, subjects: Sequence[Subject], effect: Callable[[], Awaitable[T]]) -> T:
        """Do something out there, with whatever befalls it. Raises what the real one would raise."""
        nemesis = self._means.nemesis
        await self.sleep(self.latency_s())
        if (fault := nemesis.strike(point, self.name, subjects)) is not None:
            await self._befall(fault)
        result = await effect()
        if point in _TOLD and subjects:
            nemesis.note(self.name, point.value, subjects[0].name)
        if (fault := nemesis.strike(point, self.name, subjects, after=True)) is not None:
            await self._befall(fault)
        await self._running()
        return result

    async def _befall(self, fault: Fault) -> None:
        if fault.what in _RAISED:
            kind, words = _RAISED[fault.what]
            raise kind(words)
        match fault.what:
            case What.KILL_BEFORE | What.KILL_AFTER:
                self.kill(fault.for_s)
            case What.PAUSE_BEFORE | What.PAUSE_AFTER:
                self.pause(fault.for_s)
            case What.STORE_OUTAGE:
                self._means.store_outage(fault.for_s)
                raise Unavailable("the store is away")
            case _:
                assert fault.what is What.HANG, f"{fault.name} does not befall a process"
                await self.sleep(fault.for_s)
        await self._running()

    async def _running(self) -> None:
        while self.alive and self._resumed is not None:
            await self._resumed.wait()
        if not self.alive:
            raise asyncio.CancelledError
