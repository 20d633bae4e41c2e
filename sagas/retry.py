"""How often a command is tried and how long to wait in between: a value, without a clock and without randomness."""

import math
import zlib
from dataclasses import dataclass

from sagas.errors import InvalidDefinition

_MAX_ATTEMPTS = 1_000
_MAX_DELAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class Retry:
    """Exponential backoff with jitter. After the pivot `attempts` is no limit: there a step is retried for ever."""

    attempts: int = 5  #: how often a command is tried in all; 1 means no retry
    first_s: float = 1.0  #: the wait after the first failure, in seconds
    factor: float = 2.0  #: how much longer each further wait is
    max_s: float = 60.0  #: no wait is longer, in seconds

    def __post_init__(self) -> None:
        """Refuse what would never stop, never wait, or overflow."""
        if isinstance(self.attempts, bool) or not isinstance(self.attempts, int):
            raise InvalidDefinition(f"{self}: attempts must be a whole number")
        if not 1 <= self.attempts <= _MAX_ATTEMPTS:
            raise InvalidDefinition(f"{self}: attempts must be 1 to {_MAX_ATTEMPTS}")
        if not 0 <= self.first_s <= self.max_s <= _MAX_DELAY_S:
            raise InvalidDefinition(f"{self}: 0 <= first_s <= max_s <= {_MAX_DELAY_S:.0f} must hold")
        if not (math.isfinite(self.factor) and self.factor >= 1):
            raise InvalidDefinition(f"{self}: factor must be 1 or more")

    def delay_s(self, attempt: int, key: str) -> float:
        """Seconds to wait after the given attempt (1, 2, …) of the command with this id.

        Between half of the backoff and all of it. The jitter comes from id and attempt, so that sagas that failed
        together don't come back together, and a repeated decision gives the same answer.
        """
        try:
            backoff_s = min(self.max_s, self.first_s * self.factor ** (attempt - 1))
        except OverflowError:  # A step after the pivot may be retried thousands of times.
            backoff_s = self.max_s
        jitter = zlib.crc32(f"{key}#{attempt}".encode()) / 2**32
        return backoff_s * (0.5 + 0.5 * jitter)
