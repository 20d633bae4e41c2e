"""Appends entries to streams, and makes sure that the group of each of our streams exists before its first entry."""

from collections.abc import Iterable, Sequence
from itertools import chain

from redis.exceptions import NoPermissionError, ResponseError

from adapters.bus import Entry, OnPublish
from adapters.errors import Unavailable
from adapters.streams.connection import LOST, Client, translating, unavailable
from adapters.streams.names import Streams
from adapters.streams.pipeline import Command, Pipeline
from adapters.streams.settings import StreamSettings


class WrongType(Unavailable):
    """The stream's name belongs to a key that is no stream: waiting will not help, so this is counted."""


class Forbidden(Unavailable):
    """Our user has no right to write there. Somebody may give it; where it does not matter, nobody waits for that."""


async def create_group(client: Client, stream: str, group: str, place: str = "0") -> bool:
    """Make the group, with its stream; `False` where it existed. At id 0 nothing on the stream is skipped."""
    try:
        await client.xgroup_create(stream, group, id=place, mkstream=True)
    except ResponseError as error:
        if _exists(error):
            return False
        raise
    return True


class Publisher:
    """XADD, all of a pipeline at once where the server takes all of them; one result per entry."""

    def __init__(self, pipeline: Pipeline, streams: Streams, settings: StreamSettings) -> None:
        self._pipeline = pipeline
        self.on_publish: OnPublish | None = None
        self._streams = streams
        self._settings = settings
        self._ensured: set[str] = set()  # streams of ours whose group is known to exist
        self.published_events = False  #: whether this bus writes events, and so has to trim them

    def forget_groups(self) -> None:
        """The server may have lost its data: make sure of the groups again before the next entry."""
        self._ensured.clear()

    async def publish(self, entries: Sequence[Entry]) -> Sequence[Unavailable | None]:
        """One result each, `None` where the entry is on its stream. Raises only for entries that are no text fields."""
        published = self.on_publish(entries) if self.on_publish else None
        results = await self._publish(entries)
        if published is not None:
            published(results)
        return results

    async def _publish(self, entries: Sequence[Entry]) -> Sequence[Unavailable | None]:
        results: list[Unavailable | None] = []
        for first in range(0, len(entries), self._settings.publish_chunk):
            chunk = entries[first : first + self._settings.publish_chunk]
            try:
                results += await self._publish_chunk(chunk)
            except Unavailable as error:
                self.forget_groups()
                # No further round trips to a server that is away: the caller backs off.
                return results + [error] * (len(entries) - first)
        return results

    async def _publish_chunk(self, entries: Sequence[Entry]) -> list[Unavailable | None]:
        with translating():
            groups = self._missing_groups(entries)
            commands: list[Command] = [("XGROUP", "CREATE", *names, "0", "MKSTREAM") for names in groups]
            commands += map(self._xadd, entries)
            answers = await self._pipeline.at_once(commands)
        if any(isinstance(answer, LOST) and not isinstance(answer, ResponseError) for answer in answers):
            self.forget_groups()
        made = answers[: len(groups)]
        self._ensured.update(stream for (stream, _), answer in zip(groups, made, strict=True) if _made(answer))
        return [_result(answer) for answer in answers[len(groups) :]]

    def _missing_groups(self, entries: Iterable[Entry]) -> list[tuple[str, str]]:
        unseen = {entry.stream: None for entry in entries if entry.stream not in self._ensured}
        return [(stream, group) for stream in unseen if (group := self._streams.own_group(stream)) is not None]

    def _xadd(self, entry: Entry) -> Command:
        stream = entry.stream
        if self._streams.is_dead(stream):
            limit = self._settings.dead_letter_maxlen
            return ("XADD", stream, "MAXLEN", "~", limit, "*", *chain.from_iterable(entry.fields.items()))
        if stream == self._streams.events:
            self.published_events = True
        return ("XADD", stream, "*", *chain.from_iterable(entry.fields.items()))


def _result(answer: object) -> Unavailable | None:
    if not isinstance(answer, Exception):
        return None
    if str(answer).startswith("WRONGTYPE"):
        return WrongType(f"Redis: {answer}")
    if isinstance(answer, NoPermissionError):
        return Forbidden(f"Redis: {answer}")
    return unavailable(answer)


def _made(answer: object) -> bool:
    return not isinstance(answer, Exception) or _exists(answer)


def _exists(error: Exception) -> bool:
    return str(error).startswith("BUSYGROUP")
