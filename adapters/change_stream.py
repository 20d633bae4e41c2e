"""A MongoDB change stream of one collection, read in pages.

The drivers hand out one change at a time, each through a call of its own: that costs 20 times as much as a page. What
the driver's own change stream does beyond that, to open it again where it was, is the caller's: it knows the position.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

from adapters.errors import PositionLost, Unavailable
from adapters.mongo import Database, Document, Mongo, Session, find, following, translating

PAGE = 1_000  #: changes in one page at most

Pipeline = Sequence[Mapping[str, Any]]


class ChangeStream:
    """An open stream. Calls of one session, because a cursor belongs to the session that opened it."""

    def __init__(self, database: Database, collection: str, session: Session) -> None:
        self._database = database
        self._collection = collection
        self._session = session
        self._cursor = 0
        self._first: list[Document] = []
        self.position = ""  #: every change up to here has been read; positions compare as strings

    async def open(self, pipeline: Pipeline, after: str | None) -> None:
        """Begin after a position, or with what comes now."""
        # `startAfter` is `resumeAfter` that also goes on behind a collection that was dropped.
        start = {} if after is None else {"startAfter": {"_data": after}}
        stages = [{"$changeStream": start}, *pipeline]
        command = {"aggregate": self._collection, "pipeline": stages, "cursor": {"batchSize": PAGE}}
        with translating() if after is None else following():
            self._first = await self._run(command, "firstBatch")
        if after is None:
            await self._wait_for_majority()

    async def page(self, wait_s: float) -> list[Document]:
        """The next changes, in order; none where nothing happens within that time.

        Raises `Unavailable`, and `PositionLost` where the changes since the position are gone.
        """
        if self._first:
            first, self._first = self._first, []
            return first
        if not self._cursor:
            raise PositionLost("the collection was dropped")
        command = {
            "getMore": self._cursor,
            "collection": self._collection,
            "batchSize": PAGE,
            "maxTimeMS": max(1, round(wait_s * 1000)),
        }
        with following():
            return await self._run(command, "nextBatch")

    async def close(self) -> None:
        """Have the server forget the cursor."""
        if self._cursor:
            with suppress(Unavailable), translating():
                await self._database.command({"killCursors": self._collection, "cursors": [self._cursor]})

    async def _wait_for_majority(self) -> None:
        """A new stream begins after the newest write, which a majority may not have yet.

        Whoever reads after this sees that write: it is either read or told of, and never falls between the two.
        """
        with translating():
            self._session.advance_operation_time(self._session.cluster_time["clusterTime"])
        await find(self._database[self._collection], {}, limit=1, projection=["_id"], session=self._session)

    async def _run(self, command: Document, batch: str) -> list[Document]:
        options = self._database.codec_options  # A command would have the driver's own.
        answer = await self._database.command(command, session=self._session, codec_options=options)
        self._cursor = answer["cursor"]["id"]
        self.position = answer["cursor"]["postBatchResumeToken"]["_data"]
        return list(answer["cursor"][batch])


@asynccontextmanager
async def change_stream(
    mongo: Mongo, database: str, collection: str, pipeline: Pipeline, after: str | None
) -> AsyncIterator[ChangeStream]:
    """A change stream, open within the block."""
    async with mongo.session() as session:
        stream = ChangeStream(mongo.database(database), collection, session)
        try:
            await stream.open(pipeline, after)
            yield stream
        finally:
            await stream.close()
