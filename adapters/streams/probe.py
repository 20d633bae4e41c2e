"""A stream and its consumer group as an examiner sees them: sends raw entries, hears the answers, looks at the group.

For whoever examines a consumer that others wrote. Knows nothing of what the entries mean. It changes nothing but what
it has sent itself, except by `lose_group`, and `tidy` removes that.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from redis.exceptions import RedisError, ResponseError

from adapters.streams.connection import Client, close, connect, text, translating
from adapters.streams.figures import is_missing
from adapters.streams.ids import parse_id
from adapters.streams.settings import StreamSettings

Fields = Mapping[str, str | bytes]

REPLIES_KEPT_S = 3_600  #: where the examiner is killed, its stream of replies goes by itself
READ_AT_ONCE = 1_000
REMOVED_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class Group:
    """A consumer group; `delivered` is the id up to which it has read."""

    there: bool
    delivered: str = "0-0"
    consumers: int = 0  #: names
    reading: int = 0  #: names that have read, or tried to, within the last seconds


class Probe:
    """One stream, its group, and a stream of replies of our own. Every method raises `Unavailable`."""

    def __init__(self, url: str, *, stream: str, group: str, replies: str) -> None:
        self.stream, self.group, self.replies = stream, group, replies
        self.refusing = f"{replies}.refusing"  #: a key that takes no replies, while `refuse` holds
        self._client: Client = connect(url, StreamSettings())
        self._heard = "0-0"
        self._sent: dict[str, None] = {}  #: ids of ours, to be removed
        self._made_stream = False
        self.left = 0  #: entries that `tidy` had to settle

    async def open(self) -> None:
        """Make the stream of replies, which goes by itself if nobody removes it."""
        with translating():
            pipeline = self._client.pipeline()
            pipeline.xadd(self.replies, {"opened": "1"})
            pipeline.xtrim(self.replies, maxlen=0)
            pipeline.expire(self.replies, REPLIES_KEPT_S)
            pipeline.exists(self.stream)
            self._made_stream = not (await pipeline.execute())[-1]

    async def send(self, entries: Sequence[Fields]) -> list[str]:
        """Put them on the stream in one transaction, so that one read can get them all; their ids."""
        return await self._transaction([], entries)

    async def lose_group(self, entries: Sequence[Fields]) -> list[str]:
        """Destroy the group; the entries are there before anybody can make it again."""
        return await self._transaction([("XGROUP", "DESTROY", self.stream, self.group)], entries)

    async def _transaction(self, first: Sequence[tuple[str, ...]], entries: Sequence[Fields]) -> list[str]:
        with translating():
            pipeline = self._client.pipeline(transaction=True)
            for command in first:
                pipeline.execute_command(*command)
            for fields in entries:
                flat = (part for pair in fields.items() for part in pair)
                pipeline.execute_command("XADD", self.stream, "*", *flat)
            answers = await pipeline.execute()
        ids = [text(answer) for answer in answers[len(first) :]]
        self._sent.update(dict.fromkeys(ids))
        return ids

    async def hear(self, wait_ms: int) -> list[Mapping[str, str]]:
        """The replies since the last time; waits so long for the first, or not at all."""
        with translating():
            streams: Any = {self.replies: self._heard}
            answer: Any = await self._client.xread(streams, count=READ_AT_ONCE, block=wait_ms or None)
        pages = answer.values() if isinstance(answer, dict) else [entries for _, entries in answer or ()]
        entries = [entry for page in pages for entry in _flat(page)]
        if entries:
            self._heard = text(entries[-1][0])
        return [{text(name): text(value) for name, value in fields.items()} for _, fields in entries]

    async def unsettled(self, ids: Sequence[str]) -> list[str]:
        """Those that the group has not been delivered, or has not acknowledged."""
        if not ids:
            return []
        delivered = parse_id((await self.look()).delivered)
        pipeline = self._client.pipeline(transaction=False)
        for entry_id in ids:
            pipeline.xpending_range(self.stream, self.group, min=entry_id, max=entry_id, count=1)
        with translating():
            pages = await pipeline.execute(raise_on_error=False)
        asked = zip(ids, pages, strict=True)
        return [entry_id for entry_id, page in asked if parse_id(entry_id) > delivered or _holds(page)]

    async def look(self) -> Group:
        """The group as it is now."""
        with translating():
            try:
                rows: Any = await self._client.xinfo_groups(self.stream)
                row = next((row for row in rows if text(row["name"]) == self.group), None)
                consumers: Any = await self._client.xinfo_consumers(self.stream, self.group) if row else []
            except ResponseError as error:
                if not is_missing(error):
                    raise
                return Group(there=False)
        if row is None:
            return Group(there=False)
        reading = sum(consumer["idle"] < _READING_WITHIN_MS for consumer in consumers)
        return Group(True, text(row["last-delivered-id"]), len(consumers), reading)

    async def refuse(self) -> None:
        """Make the key `refusing` something that takes no entries."""
        with translating():
            await self._client.set(self.refusing, "no stream", ex=REPLIES_KEPT_S)

    async def accept(self) -> None:
        """Let replies come to `refusing` as to any other stream, and be forgotten."""
        with translating():
            pipeline = self._client.pipeline()
            pipeline.delete(self.refusing)
            pipeline.xadd(self.refusing, {"opened": "1"})
            pipeline.expire(self.refusing, REPLIES_KEPT_S)
            await pipeline.execute()

    async def tidy(self) -> None:
        """Remove all that was sent. What is not settled is acknowledged, in the place of those who should have.

        Not only the unsettled: who makes its group again reads everything again, and would answer the dead.
        """
        unsettled = await self.unsettled([*self._sent])
        self.left += len(unsettled)
        for first in range(0, len(self._sent), REMOVED_AT_ONCE):
            await self._remove([*self._sent][first : first + REMOVED_AT_ONCE])
        self._sent.clear()
        with translating():
            if self.left:  # A late answer would make a stream that is gone anew, and for ever: so these go in time.
                await self._client.expire(self.replies, REPLIES_KEPT_S)
            else:
                await self._client.delete(self.replies, self.refusing)
            if self._made_stream and not (await self.look()).there:
                await self._client.delete(self.stream)  # Nobody reads it: it is only there because of us.

    async def _remove(self, ids: Sequence[str]) -> None:
        with translating():
            pipeline = self._client.pipeline(transaction=False)
            pipeline.xack(self.stream, self.group, *ids)
            pipeline.xdel(self.stream, *ids)
            await pipeline.execute(raise_on_error=False)

    async def aclose(self) -> None:
        """Close the connections."""
        await close(self._client)


_READING_WITHIN_MS = 10_000


def _flat(page: Any) -> Sequence[Any]:
    """The entries of one stream: RESP3 wraps them once more."""
    return page[0] if page and isinstance(page[0], list) else page


def _holds(page: Any) -> bool:
    if isinstance(page, RedisError) and not is_missing(page):
        raise page
    return bool(page) and not isinstance(page, RedisError)
