"""How many sagas are in flight, by saga and status, and since when the oldest of them. Asked for rarely: it counts."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from adapters.mongo import Mongo, translating
from orchestrator.core.state import SagaState, Status
from orchestrator.memory_store import MemorySagaStore

IN_FLIGHT = tuple(status for status in Status if not status.ended)
MAX_ROWS = 1_000
_TIME_LIMIT_MS = 5_000


@dataclass(frozen=True, slots=True)
class Row:
    """The sagas of one name and status that have not ended."""

    saga: str
    status: Status
    count: int
    oldest: datetime  #: when the first of them was created


class Census(Protocol):
    """Counts sagas in flight."""

    async def take(self) -> Sequence[Row]:
        """One row for each saga and status of which there are any. Raises `Unavailable`."""
        ...


class MongoCensus:
    """Over the collection `sagas`, by the index on the status."""

    def __init__(self, mongo: Mongo, database: str) -> None:
        self._database = mongo.database(database)

    async def take(self) -> Sequence[Row]:
        pipeline = [
            {"$match": {"status": {"$in": [status.value for status in IN_FLIGHT]}}},
            {
                "$group": {
                    "_id": {"saga": "$saga", "status": "$status"},
                    "count": {"$sum": 1},
                    "oldest": {"$min": "$created_at"},
                }
            },
            {"$limit": MAX_ROWS},
        ]
        with translating():  # As a command: the drivers' `aggregate` differ.
            answer = await self._database.command(
                "aggregate",
                "sagas",
                pipeline=pipeline,
                cursor={"batchSize": MAX_ROWS},
                maxTimeMS=_TIME_LIMIT_MS,
                codec_options=self._database.codec_options,  # Else times come without a zone.
            )
        return [
            Row(group["_id"]["saga"], Status(group["_id"]["status"]), group["count"], group["oldest"])
            for group in answer["cursor"]["firstBatch"]
        ]


class MemoryCensus:
    """Over the store in memory."""

    def __init__(self, store: MemorySagaStore) -> None:
        self._store = store

    async def take(self) -> Sequence[Row]:
        await self._store.ping()
        groups: defaultdict[tuple[str, Status], list[SagaState]] = defaultdict(list)
        for state in self._store.sagas.values():
            if not state.status.ended:
                groups[state.saga, state.status].append(state)
        return [
            Row(saga, status, len(states), min(state.created_at for state in states))
            for (saga, status), states in groups.items()
        ]
