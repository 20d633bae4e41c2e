"""Which of several orchestrators looks after which sagas' timers. Pure; nothing that must be right depends on it.

Whoever wakes a saga does it by compare-and-set, so a share that two believe in costs a lost save, and one that nobody
believes in is found by the others a little later.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from zlib import crc32

from sagas.values import dataclass

PATIENCE = timedelta(
    seconds=2
)  #: a timer is that overdue before the next replica helps, twice that before the one after it


@dataclass(frozen=True, slots=True)
class Share:
    """One of so many equal shares of all sagas."""

    number: int = 0  #: from 0
    of: int = 1
    others: frozenset[str] = frozenset()  #: sagas that can't be handled here: everybody else comes first

    def distance(self, saga_id: str) -> int:
        """0 where the saga is in this share, 1 where it is in the one before, and so on; `of` behind all of them."""
        return self.of if saga_id in self.others else (self.number - crc32(saga_id.encode())) % self.of

    def choose(self, due: Iterable[tuple[datetime, str]], now: datetime, limit: int) -> list[str]:
        """Of wake-up times and ids, the ids to wake: our own first, then those that others have left for too long."""
        found = ((self.distance(saga_id), wake_at, saga_id) for wake_at, saga_id in due)
        ripe = [each for each in found if each[1] <= now - each[0] * PATIENCE]
        return [saga_id for _, _, saga_id in sorted(ripe)[:limit]]


WHOLE = Share()  #: of who is alone
