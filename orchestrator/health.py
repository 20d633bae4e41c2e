"""What the orchestrator's collections say of the sagas, for whoever diagnoses a service. Reads only, and little."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from random import Random
from typing import Any

from adapters.facts import Fact, Unknown, attempt
from adapters.mongo import Document, Mongo, find
from orchestrator.core.state import ATTENTION_AFTER
from orchestrator.dead_letters import count_waiting
from orchestrator.due import BY_WAKE_UP
from orchestrator.metrics.census import MongoCensus, Row
from orchestrator.store import COLLECTION, InFlight, MongoSagaStore

SHOWN = 20  #: sagas named at most
TIME_LIMIT_MS = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class SagaFacts:
    """Each as MongoDB has it, or why that is not known."""

    census: Fact[Sequence[Row]]
    definitions: Fact[Sequence[InFlight]]
    attention: Fact[Sequence[str]]  #: sagas whose step is tried for ever, and has been for long
    next_wake_up: Fact[datetime | None]  #: of the saga whose timer is due first; None where no timer is set
    dead_letters: Fact[int]  #: that wait for somebody; at most `dead_letters.COUNTED`


async def look_at_sagas(mongo: Mongo, database: str, within_s: float) -> SagaFacts:
    """All facts, each within the time."""
    census, definitions, attention, next_wake_up, dead_letters = await asyncio.gather(
        attempt(MongoCensus(mongo, database).take(), within_s),
        attempt(MongoSagaStore(mongo, database, Random(0)).in_flight(), within_s),
        attempt(_attention(mongo, database), within_s),
        attempt(_next_wake_up(mongo, database), within_s),
        attempt(_dead_letters(mongo, database), within_s),
    )
    return SagaFacts(
        census=census,
        definitions=definitions,
        attention=attention,
        next_wake_up=next_wake_up,
        dead_letters=dead_letters,
    )


def nothing_known(why: Unknown) -> SagaFacts:
    """The facts where MongoDB was not found."""
    return SagaFacts(census=why, definitions=why, attention=why, next_wake_up=why, dead_letters=why)


async def _attention(mongo: Mongo, database: str) -> Sequence[str]:
    for_ever = {"$elemMatch": {"budget": None, "attempt": {"$gt": ATTENTION_AFTER}}}
    query: Document = {"wake_at": {"$exists": True}, "pending": for_ever}
    found = await _find(mongo, database, query, SHOWN)
    return [str(document["_id"]) for document in found]


async def _next_wake_up(mongo: Mongo, database: str) -> datetime | None:
    found = await _find(mongo, database, {"wake_at": {"$exists": True}}, 1)
    return next((document["wake_at"] for document in found), None)


async def _find(mongo: Mongo, database: str, query: Document, limit: int) -> list[Document]:
    """By the index of timers, which holds only sagas in flight."""
    options: dict[str, Any] = {"sort": BY_WAKE_UP, "projection": ["wake_at"], "max_time_ms": TIME_LIMIT_MS}
    return await find(mongo.database(database)[COLLECTION], query, limit=limit, **options)


async def _dead_letters(mongo: Mongo, database: str) -> int:
    return sum((await count_waiting(mongo.database(database))).values())
