"""Whether more sagas may start: an accepted saga is never dropped, so too many are not accepted.

The number in flight is sampled, not asked for with each request; what was admitted since is added to the sample.
"""

import structlog

from adapters.clock import Clock
from adapters.errors import Unavailable
from orchestrator.starting import Overloaded
from orchestrator.store import SagaStore

log = structlog.get_logger(__name__)

SAMPLE_EVERY_S = 1.0
RETRY_AFTER_S = 5


class Admission:
    """Knows roughly how many sagas are in flight."""

    def __init__(self, store: SagaStore, clock: Clock, *, limit: int) -> None:
        self._store = store
        self._clock = clock
        self._limit = limit
        self._sampled = 0
        self._admitted = 0  #: since the sample was asked for

    def admit(self, count: int) -> None:
        """Let that many in; raises `Overloaded`."""
        if count > self.room:
            raise Overloaded(f"about {self._sampled + self._admitted} sagas are in flight", RETRY_AFTER_S)
        self._admitted += count

    @property
    def room(self) -> int:
        """How many more there is room for; at least 0."""
        return max(0, self._limit - self._sampled - self._admitted)

    def count(self, count: int) -> None:
        """That many come in, admitted or not."""
        self._admitted += count

    async def run(self) -> None:
        """Sample for ever; while the store is away the last sample stands."""
        while True:
            try:
                await self.sample()
            except Unavailable as error:
                log.debug("sample-interrupted", reason=str(error))
            except Exception:
                log.exception("sample-failed")
            await self._clock.sleep(SAMPLE_EVERY_S)

    async def sample(self) -> None:
        """Count once."""
        before = self._admitted
        self._sampled = await self._store.count_active(self._limit)
        self._admitted -= before
