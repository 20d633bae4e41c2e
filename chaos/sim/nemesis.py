"""Decides at every point whether a fault strikes, counts what struck, and keeps the run's trace."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from random import Random
from typing import NamedTuple

from chaos.faults import AFTER, Fault, Point, Subject


class Event(NamedTuple):
    """Something that happened in a run."""

    at_s: float
    who: str
    what: str
    about: str = ""  #: a command id, or a saga's


@dataclass(slots=True)
class _Planned:
    """A fault of the run, and what has become of it."""

    fault: Fault
    passed: int = 0  #: moments that it fitted
    fired: int = 0  #: strikes


class Nemesis:
    """The faults of one run."""

    def __init__(self, faults: Iterable[Fault], rng: Random, time_s: Callable[[], float]) -> None:
        self._all = [_Planned(fault) for fault in faults]
        self._here: defaultdict[tuple[Point, bool], list[_Planned]] = defaultdict(list)
        for planned in self._all:
            self._here[planned.fault.point, planned.fault.what in AFTER].append(planned)
        self._rng = rng
        self._time_s = time_s
        self.trace: list[Event] = []

    @property
    def fired(self) -> Counter[Fault]:
        """How often each fault has struck."""
        fired: Counter[Fault] = Counter()
        for planned in self._all:
            if planned.fired:
                fired[planned.fault] += planned.fired
        return fired

    def lurks(self, point: Point) -> bool:
        """Whether any fault may strike there."""
        return (point, False) in self._here or (point, True) in self._here

    def strike(self, point: Point, who: str, subjects: Sequence[Subject], *, after: bool = False) -> Fault | None:
        """The fault that strikes here, if one does."""
        for planned in self._here.get((point, after), ()):
            fault = planned.fault
            if fault.fits(subjects) and self._due(planned):
                planned.fired += 1
                about = next((each for each in subjects if fault.fits([each])), None)
                self.note(who, fault.name, about.name if about else "")
                return fault
        return None

    def _due(self, planned: _Planned) -> bool:
        fault = planned.fault
        if fault.times is not None and planned.fired >= fault.times:
            return False
        planned.passed += 1
        if planned.passed <= fault.skip:
            return False
        return fault.probability >= 1 or self._rng.random() < fault.probability

    def note(self, who: str, what: str, about: str = "") -> None:
        """Add to the trace."""
        self.trace.append(Event(self._time_s(), who, what, about))

    def rest(self) -> None:
        """No more faults."""
        self._here.clear()
