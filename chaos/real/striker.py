"""Decides at every point of a process whether a fault strikes there, and carries out what ends or stops the process."""

import os
import signal
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Sequence
from random import Random
from typing import TypeVar

from adapters.clock import Clock
from chaos.faults import AFTER, Fault, Point, Subject, What
from chaos.real.plan import Plan, Strike

T = TypeVar("T")

#: What strikes inside a process; everything else strikes from outside.
WITHIN = frozenset(
    {
        What.KILL_BEFORE,
        What.KILL_AFTER,
        What.PAUSE_BEFORE,
        What.PAUSE_AFTER,
        What.FAIL,
        What.FAIL_AFTER,
        What.HANG,
    }
)
_KILLS = frozenset({What.KILL_BEFORE, What.KILL_AFTER})
_PAUSES = frozenset({What.PAUSE_BEFORE, What.PAUSE_AFTER})


class PlannedFailure(Exception):
    """A handler fails because the run wants it to."""


class Striker:
    """The faults of one process. Each strikes as often as it may in the whole run, whichever process it strikes."""

    def __init__(self, plan: Plan, who: str, clock: Clock) -> None:
        self._plan = plan
        self._who = who
        self._clock = clock
        self._rng = Random(f"{plan.seed}/{who}/{os.getpid()}")
        self._passed: Counter[int] = Counter()
        self._faults: defaultdict[tuple[Point, bool], list[tuple[int, Fault]]] = defaultdict(list)
        for index, fault in enumerate(plan.faults):
            if fault.what in WITHIN:
                self._faults[fault.point, fault.what in AFTER].append((index, fault))

    def strike(self, point: Point, subjects: Sequence[Subject], *, after: bool = False) -> Fault | None:
        """The fault that strikes here, if one does and this process goes on with it."""
        for index, fault in self._faults.get((point, after), ()):
            if subjects and fault.fits(subjects) and self._due(index, fault, subjects):
                self._carry_out(fault)
                return fault
        return None

    def _due(self, index: int, fault: Fault, subjects: Sequence[Subject]) -> bool:
        if not self._plan.is_armed(index):
            return False
        self._passed[index] += 1
        if self._passed[index] <= fault.skip or self._rng.random() >= fault.probability:
            return False
        about = next(each for each in subjects if fault.fits([each]))
        told = f"{about.saga_id}/{about.step}/{about.kind}"
        return self._plan.claim(index, Strike(fault, self._who, self._clock.now().timestamp(), told))

    def _carry_out(self, fault: Fault) -> None:
        if fault.what in _KILLS:
            os.kill(os.getpid(), signal.SIGKILL)
        if fault.what in _PAUSES:
            os.kill(os.getpid(), signal.SIGSTOP)  # Whoever started this process makes it go on.

    async def touch(self, point: Point, subjects: Sequence[Subject], effect: Callable[[], Awaitable[T]]) -> T:
        """Do something out there, with whatever befalls it."""
        self.strike(point, subjects)
        result = await effect()
        self.strike(point, subjects, after=True)
        return result
