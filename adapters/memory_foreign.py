"""The rules of adapters/streams/origin.py for streams in memory, where a group counts what it has been delivered."""

from collections.abc import Iterable, Sequence

from adapters.bus import Foreign
from adapters.streams import origin
from adapters.streams.ids import parse_id


async def delivered_at(foreign: Foreign, stream: str, ids: Sequence[str]) -> int:
    """How many of the stream's entries a group that is made now counts as delivered."""
    newest = ids[-1] if ids else None
    remembered = await foreign.places.begin(stream, origin.first_place(newest, beginning=foreign.beginning))
    place = parse_id(origin.place_again(remembered, newest))
    return sum(parse_id(entry_id) <= place for entry_id in ids)


def settled_until(delivered: Sequence[str], pending: Iterable[str]) -> str:
    """The id up to which everything that was delivered is settled; something was."""
    oldest = min(pending, key=parse_id, default=None)
    return delivered[-1] if oldest is None else origin.before(oldest)
