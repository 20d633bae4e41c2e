"""How often an entry was tried alone: kept in Redis, so that one which kills its process each time is counted, too."""

from adapters.errors import Unavailable
from adapters.streams.connection import translating
from adapters.streams.shared import Shared


class AloneCounts:
    """Of one stream and group."""

    def __init__(self, shared: Shared, stream: str, group: str) -> None:
        self._shared = shared
        self.key = shared.streams.alone_counts(stream, group)
        self._too_many: dict[str, int] = {}  # counted, then unavailable, and could not be taken back

    async def add(self, entry_id: str) -> int:
        """Count one more try; how many that makes. Raises `Unavailable`."""
        step = 1 - self._too_many.get(entry_id, 0)
        with translating():
            counted = int(await self._shared.client.hincrby(self.key, entry_id, step))
        self._too_many.pop(entry_id, None)
        return counted

    async def take_back(self, entry_id: str) -> None:
        """The last try does not count; where Redis is away, the next one counts for nothing instead."""
        try:
            with translating():
                await self._shared.client.hincrby(self.key, entry_id, -1)
        except Unavailable:
            self._too_many[entry_id] = 1
