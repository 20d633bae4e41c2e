"""Decides at every point whether a fault strikes, counts what struck, and keeps the run's trace."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from random import Random

from chaos.faults import Fault, Point, Subject, What

_AFTER = frozenset({What.KILL_AFTER, What.PAUSE_AFTER, What.FORGET})


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened in a run."""

    at_s: float
    who: str
    what: str
    about: str = ""  #: a command id, or a saga's


class Nemesis:
    """The faults of one run."""

    def __init__(self, faults: Iterable[Fault], rng: Random, time_s: Callable[[], float]) -> None:
        self._faults: defaultdict[tuple[Point, bool], list[Fault]] = defaultdict(list)
        for fault in faults:
            self._faults[fault.point, fault.what in _AFTER].append(fault)
        self._rng = rng
        self._time_s = time_s
        self._passed: Counter[Fault] = Counter()
        self.fired: Counter[Fault] = Counter()
        self.trace: list[Event] = []

    def strike(self, point: Point, who: str, subjects: Sequence[Subject], *, after: bool = False) -> Fault | None:
        """The fault that strikes here, if one does."""
        for fault in self._faults.get((point, after), ()):
            if fault.fits(subjects) and self._due(fault):
                self.fired[fault] += 1
                about = next((each for each in subjects if fault.fits([each])), None)
                self.note(who, fault.name, about.name if about else "")
                return fault
        return None

    def _due(self, fault: Fault) -> bool:
        if fault.times is not None and self.fired[fault] >= fault.times:
            return False
        self._passed[fault] += 1
        if self._passed[fault] <= fault.skip:
            return False
        return fault.probability >= 1 or self._rng.random() < fault.probability

    def note(self, who: str, what: str, about: str = "") -> None:
        """Add to the trace."""
        self.trace.append(Event(self._time_s(), who, what, about))

    def rest(self) -> None:
        """No more faults."""
        self._faults.clear()
