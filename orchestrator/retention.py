"""Ended sagas go when their time is over, where a setting says so; on request a copy stays in `sagas_archive`.

Nothing else is ever removed: not what is stuck, and not an end whose event is still to be sent. Any number of
orchestrators may do this at once. Who dies between copying and removing leaves a copy that the next one finds.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

from adapters.clock import Clock
from adapters.mongo import ASCENDING, Document, Mongo, find, translating
from adapters.purging import keep_purging
from orchestrator.core.state import Status
from orchestrator.settings import Settings
from orchestrator.store import COLLECTION

ARCHIVE = "sagas_archive"
BATCH = 500

_ENDS = [status.value for status in Status if status.ended]
_OLDEST_FIRST = [("created_at", ASCENDING), ("_id", ASCENDING)]
#: An id may be used again once its saga is gone, so a copy has the time in its own: `order-1/2026-01-31T12:00:00.000Z`.
_ARCHIVE_ID = {"$concat": ["$_id", "/", {"$dateToString": {"date": "$created_at", "format": "%Y-%m-%dT%H:%M:%S.%LZ"}}]}


class SagaRetention:
    """The collection `sagas`. `purged` is told how many have gone, after each batch."""

    def __init__(self, mongo: Mongo, settings: Settings, clock: Clock, purged: Callable[[int], None]) -> None:
        self._database = mongo.database(settings.database)
        self._sagas = self._database[COLLECTION]
        self._days = settings.retention_days
        self._archive = settings.archive
        self._clock = clock
        self._purged = purged

    async def run(self) -> None:
        """For ever; returns at once where sagas are kept for ever."""
        if self._days is not None:
            keep = timedelta(days=self._days)
            await keep_purging("sagas", lambda: self.purge(self._clock.now() - keep), self._clock)

    async def purge(self, before: datetime) -> int:
        """Remove one batch of what ended before then; how many there were. Raises `Unavailable` or `Conflict`."""
        old: Document = {"status": {"$in": _ENDS}, "ended_at": {"$lt": before}, "wake_at": {"$exists": False}}
        # No saga ends before it is created, so the index of the lists serves here too, and none has to have `ended_at`.
        found = await find(
            self._sagas,
            {**old, "created_at": {"$lt": before}, "_id": {"$type": "string"}},
            limit=BATCH,
            sort=_OLDEST_FIRST,
            hint="status_newest",
            projection=["_id"],
        )
        if not found:
            return 0
        these = {**old, "_id": {"$in": [document["_id"] for document in found]}}
        if self._archive:
            await self._copy(these)
        with translating():
            result = await self._sagas.delete_many(these)
        self._purged(result.deleted_count)
        return int(result.deleted_count)

    async def _copy(self, these: Document) -> None:
        """Durably, before anything is removed; what is there already stays as it is."""
        pipeline = [
            {"$match": these},
            {"$set": {"_id": _ARCHIVE_ID}},
            {"$merge": {"into": ARCHIVE, "whenMatched": "keepExisting", "whenNotMatched": "insert"}},
        ]
        durably = {"readConcern": {"level": "majority"}, "writeConcern": {"w": "majority", "j": True}}
        with translating():  # As a command: the drivers' `aggregate` differ.
            await self._database.command("aggregate", COLLECTION, pipeline=pipeline, cursor={}, **durably)
