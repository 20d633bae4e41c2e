"""`/v1/dead-letters`: messages that could not be handled. Look at them, put them on their streams again, remove them.

A list shows none of what was in a message, because that may be anything. Redriving publishes first and marks then, so
a letter that is not marked may have been redriven; whoever receives it twice drops the repeat.
"""

import re
from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from orchestrator.api import schemas_dead_letters as schemas
from orchestrator.api.answers import answer, is_saga_id
from orchestrator.api.auditing import Deed
from orchestrator.api.caller import asked_of
from orchestrator.api.listing import PageQuery, cursor_behind
from orchestrator.api.problems import Kind, Problem
from orchestrator.api.services import Services
from orchestrator.api.view import Json, rfc3339
from orchestrator.dead_letters import DeadLetter

_ID = re.compile(r"[0-9a-f]{32}")


class RedriveQuery(BaseModel):
    """How to redrive."""

    model_config = ConfigDict(extra="forbid")

    again: bool = Field(False, description="`true`: also one that was redriven before.")


class DeadLetterRoutes:
    """The routes, over the services."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._letters = services.dead_letters

    def router(self) -> APIRouter:
        """Their paths."""
        router = APIRouter(prefix="/v1", tags=["dead letters"])
        router.get("/dead-letters", **schemas.LIST)(self.list)
        router.get("/dead-letters/{letter_id}", **schemas.GET)(self.get)
        router.post("/dead-letters/{letter_id}/redrive", **schemas.REDRIVE)(self.redrive)
        router.delete("/dead-letters/{letter_id}", **schemas.DELETE)(self.delete)
        return router

    async def list(self, query: Annotated[PageQuery, Query()]) -> Response:
        """Dead letters, newest first, page by page."""
        found = await self._letters.page(query.after, query.limit + 1)
        page = found[: query.limit]
        more = cursor_behind(page[-1].at, page[-1].id) if len(found) > query.limit else None
        return answer({"items": [_shown(letter) for letter in page], "next": more})

    async def get(self, letter_id: str) -> Response:
        """One dead letter, with what was in the message."""
        letter = await self._find(letter_id)
        return answer(_shown(letter) | {"fields": dict(letter.fields or {})})

    async def redrive(self, letter_id: str, request: Request, query: Annotated[RedriveQuery, Query()]) -> Response:
        """Put the message on its stream again; an event of another service is tried right here."""
        async with self._services.auditor.watching(request, Deed("redrive")) as deed:
            letter = await self._find(letter_id, deed)
            if letter.truncated:
                raise _refused("truncated", "It was too large to be kept whole, or held what is no text.")
            if letter.redrives and not query.again:
                raise _refused("already-redriven", "It was redriven before; with ?again=true it is once more.")
            if (reason := await self._services.redriver.redrive(letter)) is not None:
                raise _refused("still-dead", f"It can't be handled: {reason}")
            at, by = self._services.engine.clock.now(), asked_of(request).caller
            await self._letters.mark_redriven(letter.id, at, by)
        marked = replace(letter, redrives=letter.redrives + 1, redriven_at=at, redriven_by=by)
        return answer(_shown(marked), 202)

    async def delete(self, letter_id: str, request: Request) -> Response:
        """Remove it for good."""
        async with self._services.auditor.watching(request, Deed("delete-dead-letter")) as deed:
            letter = await self._find(letter_id, deed)
            if not await self._letters.delete(letter.id):
                raise _not_found()
        return Response(status_code=204)

    async def _find(self, letter_id: str, deed: Deed | None = None) -> DeadLetter:
        letter = await self._letters.get(letter_id) if _ID.fullmatch(letter_id) else None
        if letter is None:
            raise _not_found()
        if deed is not None:
            deed.dead_letter = letter.id
            deed.saga_id = letter.saga_id if is_saga_id(letter.saga_id) else None
        return letter


def _not_found() -> Problem:
    return Problem(Kind.DEAD_LETTER_NOT_FOUND, "No dead letter has this id.")


def _refused(code: str, said: str) -> Problem:
    return Problem(Kind.REFUSED, said, extra={"code": code})


def _shown(letter: DeadLetter) -> Json:
    return {
        "id": letter.id,
        "stream": letter.stream,
        "entry_id": letter.entry_id,
        "at": rfc3339(letter.at),
        "reason": letter.reason,
        "saga_id": letter.saga_id or None,
        "type": letter.type or None,
        "truncated": letter.truncated,
        "redrives": letter.redrives,
        "redriven_at": None if letter.redriven_at is None else rfc3339(letter.redriven_at),
        "redriven_by": letter.redriven_by,
    }
