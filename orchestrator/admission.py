"""Whether more sagas may start: an accepted saga is never dropped, so too many are not accepted.

The number in flight and the backlog are sampled, not asked for with each request; what was admitted since is added to
the number in flight.
"""

from collections.abc import Awaitable, Callable, Sequence

import structlog

from adapters.clock import Clock
from adapters.errors import Unavailable
from adapters.streams.figures import StreamFigures
from adapters.streams.names import Streams
from orchestrator.starting import Overloaded
from orchestrator.store import SagaStore

log = structlog.get_logger(__name__)

SAMPLE_EVERY_S = 1.0
RETRY_AFTER_S = 5


#: How many messages of ours wait in the fullest stream; raises `Unavailable`.
Backlog = Callable[[], Awaitable[int]]
Look = Callable[[Sequence[str]], Awaitable[Sequence[StreamFigures]]]


class Admission:
    """Knows roughly how many sagas are in flight, and how far behind whoever handles their messages is."""

    def __init__(
        self,
        store: SagaStore,
        clock: Clock,
        *,
        limit: int,
        backlog: Backlog | None = None,
        max_backlog: int = 0,
    ) -> None:
        self._store = store
        self._clock = clock
        self._limit = limit
        self._backlog = backlog
        self._max_backlog = max_backlog
        self._waiting = 0
        self._sampled = 0
        self._admitted = 0  #: since the sample was asked for

    def admit(self, count: int) -> None:
        """Let that many in; raises `Overloaded`."""
        if count > self.room:
            in_flight = f"about {self._sampled + self._admitted} sagas are in flight"
            behind = f"about {self._waiting} messages wait in one stream"
            raise Overloaded(behind if self._behind else in_flight, RETRY_AFTER_S)
        self._admitted += count

    @property
    def _behind(self) -> bool:
        return self._backlog is not None and self._waiting >= self._max_backlog

    @property
    def room(self) -> int:
        """How many more there is room for; at least 0."""
        return 0 if self._behind else max(0, self._limit - self._sampled - self._admitted)

    def count(self, count: int) -> None:
        """That many come in, admitted or not."""
        self._admitted += count

    async def run(self) -> None:
        """Sample for ever; while a server is away the last sample stands."""
        while True:
            for sample in (self.sample, self.sample_backlog):
                try:
                    await sample()
                except Unavailable as error:
                    log.debug("sample-interrupted", reason=str(error))
                except Exception:
                    log.exception("sample-failed")
            await self._clock.sleep(SAMPLE_EVERY_S)

    async def sample(self) -> None:
        """Count the sagas once."""
        before = self._admitted
        self._sampled = await self._store.count_active(self._limit)
        self._admitted -= before

    async def sample_backlog(self) -> None:
        """Look at the streams once."""
        if self._backlog is not None:
            self._waiting = await self._backlog()


def backlog_of(look: Look, streams: Streams, names: Callable[[], Sequence[str]]) -> Backlog:
    """The fullest of those streams that have a group of ours: what it has not handled, delivered or not.

    What Redis can't tell counts as nothing.
    """

    async def backlog() -> int:
        own = {name: group for name in names() if (group := streams.own_group(name)) is not None}
        found = await look(list(own))
        groups = [group for one in found for group in one.groups if group.group == own[one.stream]]
        return max((group.pending + (group.lag or 0) for group in groups), default=0)

    return backlog
