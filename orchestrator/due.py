"""Which timers are due, found by their index alone: no document is read for those that others look after."""

from datetime import datetime
from typing import Any

from adapters.mongo import ASCENDING, Document, find
from orchestrator.shares import Share

BY_WAKE_UP = [("wake_at", ASCENDING), ("_id", ASCENDING)]
PAGE, PAGES = 1_000, 20  #: ids read at once, and how often: what is behind them is for the next sweep


async def chosen(sagas: Any, now: datetime, limit: int, share: Share) -> list[str]:
    """The ids that the share chooses, once enough of its own are found among those of others."""
    rows: list[tuple[datetime, str]] = []
    query: Document = {"wake_at": {"$lte": now}}
    own = 0
    for _ in range(PAGES):
        page = await find(sagas, query, limit=PAGE, sort=BY_WAKE_UP, projection=["wake_at"])
        rows += [(row["wake_at"], row["_id"]) for row in page]
        own += sum(share.distance(row["_id"]) == 0 for row in page)
        if own >= limit or len(page) < PAGE:
            break
        query = {"wake_at": {"$lte": now}, "$or": behind(*rows[-1])}
    return share.choose(rows, now, limit)


def behind(wake_at: datetime | None, saga_id: str) -> list[Document]:
    """Conditions for those that come after it by wake-up time and id, one of which must hold."""
    return [{"wake_at": {"$gt": wake_at}}, {"wake_at": wake_at, "_id": {"$gt": saga_id}}]
