"""How often a caller may ask: so many requests a second, a second's worth at once. Off unless a setting turns it on.

The generic cell rate algorithm (ITU-T I.371): a token bucket that needs one number for each caller. Callers are counted
by the names of their keys, so whoever has none shares one place with all who have none, and there are few places.
"""

import math
from dataclasses import dataclass

MAX_PLACES = 10_000


@dataclass(frozen=True, slots=True)
class Rates:
    """Requests a second; 0: any number."""

    per_key: float = 0.0
    total: float = 0.0


@dataclass(frozen=True, slots=True)
class Taken:
    """Whether one more request is within the limit, how many more are, and when all are again."""

    allowed: bool
    left: int
    wait_s: float  #: until one more is within the limit
    full_s: float  #: until as many as ever are


class Pace:
    """So many a second for each of those who are counted apart. Time is an argument, in seconds."""

    def __init__(self, per_s: float) -> None:
        self.interval_s = 1 / per_s
        self.capacity = max(1, math.floor(per_s))
        self._used_until: dict[str, float] = {}  #: who → when the place is empty again

    def take(self, who: str, now: float) -> Taken:
        """Count one more request, where it is within the limit."""
        used = max(self._used_until.get(who, now), now)
        free_s = self.capacity * self.interval_s - (used - now)
        if free_s < self.interval_s - 1e-9:
            return Taken(allowed=False, left=0, wait_s=self.interval_s - free_s, full_s=used - now)
        used += self.interval_s
        self._make_room(now)
        self._used_until[who] = used
        left = (free_s - self.interval_s + 1e-9) // self.interval_s
        return Taken(allowed=True, left=int(left), wait_s=0.0, full_s=used - now)

    def _make_room(self, now: float) -> None:
        if len(self._used_until) >= MAX_PLACES:
            self._used_until = {who: used for who, used in self._used_until.items() if used > now}
