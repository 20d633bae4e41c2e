"""One stream that others own, read by us: where our group begins, how far it came, and how much may be read.

Nothing here writes to the stream itself. A group that is lost loses what it had pending, so the place that is
remembered lies before everything that is not settled; what comes twice then is recognised by its handler.
"""

from typing import Any

from redis.exceptions import ResponseError

from adapters.bus import Foreign, Subscription
from adapters.streams import origin
from adapters.streams.connection import text, translating, wait
from adapters.streams.housekeeping import first_unsettled
from adapters.streams.shared import Shared


class ForeignStream:
    """Of one subscription. Its methods raise `Unavailable` while Redis or the memory of places is away."""

    def __init__(self, shared: Shared, subscription: Subscription, foreign: Foreign) -> None:
        self._shared = shared
        self._stream, self._group = subscription.stream, subscription.group
        self._foreign = foreign

    @classmethod
    def of(cls, shared: Shared, subscription: Subscription) -> "ForeignStream | None":
        """None where the stream is one of ours."""
        return None if subscription.foreign is None else cls(shared, subscription, subscription.foreign)

    async def place(self) -> str:
        """The id behind which the group is to be made, if it has to be made."""
        newest = await self._newest()
        first = origin.first_place(newest, beginning=self._foreign.beginning)
        # Before the group exists: between the two a crash would forget where we came in.
        remembered = await self._foreign.places.begin(self._stream, first)
        return origin.place_again(remembered, newest)

    async def remember(self) -> None:
        """Note how far everything has been settled."""
        first_needed = await first_unsettled(self._shared, self._stream, self._group)
        if first_needed is not None:
            await self._foreign.places.advance(self._stream, origin.before(first_needed))

    async def room(self) -> int:
        """How many entries may be read now. Without room it waits as long as a read would have waited for entries."""
        room = self._foreign.room()
        if room <= 0:
            await wait(self._shared.clock, self._shared.settings.block_ms / 1_000, self._shared.stopping)
        return room

    async def _newest(self) -> str | None:
        """The newest id that the stream ever had; None where there is no stream."""
        with translating():
            try:
                found: Any = await self._shared.client.xinfo_stream(self._stream)
            except ResponseError as error:
                if "no such key" in str(error):
                    return None
                raise
        return text(found["last-generated-id"])
