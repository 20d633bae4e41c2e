"""How many messages may be sent again in a second: after an outage everything is due at once."""

from datetime import timedelta

from adapters.clock import Clock


class Pace:
    """So many a second, and a second's worth at once. What was spent beyond that is waited for."""

    def __init__(self, clock: Clock, per_s: int) -> None:
        self._clock = clock
        self._per_s = per_s
        self._spent_until = clock.now()  #: when nothing is spent any more

    def spend(self, count: int) -> None:
        """So many were sent."""
        self._spent_until = max(self._spent_until, self._clock.now()) + timedelta(seconds=count / self._per_s)

    @property
    def room(self) -> int:
        """How many more may be sent now."""
        left_s = 1 - max(0.0, (self._spent_until - self._clock.now()).total_seconds())
        return max(0, int(left_s * self._per_s))

    async def ready(self) -> None:
        """Return once some may be sent."""
        while self.room <= 0:
            await self._clock.sleep((self._spent_until - self._clock.now()).total_seconds())
