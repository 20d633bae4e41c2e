"""Who has which entries of one stream and group: XCLAIM and XPENDING."""

from collections.abc import Sequence
from enum import Enum, auto
from typing import Any

from adapters.streams.connection import text, translating
from adapters.streams.faststream_private import RawEntry
from adapters.streams.shared import Shared

KEPT_AFTER = 0.25  #: of the time after which an entry that is idle is taken over


class Place(Enum):
    """Where an entry is."""

    OURS = auto()
    OTHERS = auto()  #: pending with somebody else, or settled
    GONE = auto()  #: Redis drops an entry that was trimmed while pending


class Claims:
    """Those of this process. Every method raises `Unavailable`."""

    def __init__(self, shared: Shared, stream: str, group: str) -> None:
        self._shared = shared
        self._stream, self._group = stream, group

    async def take(self, ids: Sequence[str], min_idle_ms: int) -> Sequence[RawEntry]:
        """Those of the entries that were idle for so long: from now on they are ours, and not idle."""
        shared = self._shared
        with translating():
            claimed: Any = await shared.client.xclaim(self._stream, self._group, shared.consumer, min_idle_ms, [*ids])
        return [(entry_id, fields) for entry_id, fields in claimed]

    async def keep(self, ids: set[str], most: int) -> None:
        """Nobody is to find these idle. `most`: how many we have at most. What others have by now is left to them."""
        shared, stream, group = self._shared, self._stream, self._group
        idle_ms = int(shared.settings.idle_takeover_s * 1_000 * KEPT_AFTER)
        with translating():
            rows = await shared.client.xpending_range(
                stream, group, min="-", max="+", count=most, consumername=shared.consumer, idle=idle_ms
            )
            if ours := ids.intersection(text(row["message_id"]) for row in rows):
                await shared.client.xclaim(stream, group, shared.consumer, idle_ms, [*ours], justid=True)

    async def place(self, entry_id: str) -> Place:
        """Where an entry is that could not be taken."""
        client = self._shared.client
        with translating():
            pending = await client.xpending_range(self._stream, self._group, min=entry_id, max=entry_id, count=1)
            if pending:
                return Place.OURS if pending[0]["consumer"] == self._shared.consumer.encode() else Place.OTHERS
            there = await client.xrange(self._stream, min=entry_id, max=entry_id, count=1)
        return Place.OTHERS if there else Place.GONE
