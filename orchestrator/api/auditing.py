"""Keeps one audit record, and one log line, for each request that somebody must answer for.

The record is added when the outcome is known. Where it can't be stored the answer stands all the same, and the log line
is what is left. A log line holds no reason: people write anything there.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import structlog
from starlette.requests import HTTPConnection

from adapters.clock import Clock
from adapters.errors import Unavailable
from orchestrator.api.caller import asked_of
from orchestrator.api.problems import Problem
from orchestrator.audit import AuditLog, Record, Result

log = structlog.get_logger(__name__)

MAX_WRITING = 50  #: records of requests turned away that are being stored at once; beyond it the log has them


@dataclass(slots=True)
class Deed:
    """What somebody wants done. The route fills in what it learns on the way."""

    action: str
    saga_id: str | None = None
    dead_letter: str | None = None
    reason: str | None = None
    path: str | None = None


class Auditor:
    """Adds records."""

    def __init__(self, audit_log: AuditLog, clock: Clock, new_id: Callable[[], str]) -> None:
        self._log = audit_log
        self._clock = clock
        self._new_id = new_id
        self._writing = 0

    @asynccontextmanager
    async def watching(self, request: HTTPConnection, deed: Deed) -> AsyncIterator[Deed]:
        """One record of how this block ends: well, with a `Problem`, or because something went away."""
        try:
            yield deed
        except Problem as problem:
            away = problem.kind.status >= 500
            await self._add(request, deed, Result.UNKNOWN if away else Result.REFUSED, refusal_of(problem))
            raise
        except Exception as error:
            await self._add(request, deed, Result.UNKNOWN, type(error).__name__)
            raise
        await self._add(request, deed, Result.ACCEPTED, None)

    async def turned_away(self, request: HTTPConnection, deed: Deed, problem: Problem) -> None:
        """One record of a request that did not get through the door. A flood of them must not keep MongoDB busy."""
        self._writing += 1
        try:
            store = self._writing <= MAX_WRITING
            await self._add(request, deed, Result.REFUSED, refusal_of(problem), store=store)
        finally:
            self._writing -= 1

    async def _add(
        self, request: HTTPConnection, deed: Deed, outcome: Result, refusal: str | None, *, store: bool = True
    ) -> None:
        asked = asked_of(request)
        record = Record(
            id=self._new_id(),
            at=self._clock.now(),
            who=asked.caller,
            action=deed.action,
            outcome=outcome,
            refusal=refusal,
            saga_id=deed.saga_id,
            dead_letter=deed.dead_letter,
            reason=deed.reason,
            path=deed.path,
            request_id=asked.request_id,
        )
        about = {"saga_id": record.saga_id, "dead_letter": record.dead_letter, "request_id": record.request_id}
        said = {"who": record.who, "action": record.action, "outcome": record.outcome.value, "refusal": refusal}
        log.info("audit", **said, **{name: value for name, value in about.items() if value is not None})
        try:
            if store:
                await self._log.add(record)
        except Unavailable as error:
            log.error("audit-not-stored", audit_id=record.id, reason=str(error))


def refusal_of(problem: Problem) -> str:
    """The problem's own code, where it has one; else the last part of its type."""
    return str(problem.extra.get("code") or problem.kind.type.rpartition("/")[2])
