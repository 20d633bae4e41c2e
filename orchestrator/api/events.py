"""`/v1/sagas/events` and `/v1/sagas/{id}/events`: what becomes of sagas, told as it happens."""

import re
from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.datastructures import Headers
from starlette.responses import Response

from orchestrator.api import schemas_events as schemas
from orchestrator.api.body import SagaName
from orchestrator.api.event_stream import EventStream
from orchestrator.api.following import EverySaga, OneSaga
from orchestrator.api.problems import Fault, Problem, invalid
from orchestrator.api.services import Services
from orchestrator.changes import Position, SagaEvent
from orchestrator.core.state import Status

_REVISION = re.compile(schemas.REVISION)


class FollowQuery(BaseModel):
    """How long to listen."""

    model_config = ConfigDict(extra="forbid")

    max_s: int | None = Field(None, ge=1, le=86_400, description="End the answer after so many seconds.")


class FollowAllQuery(FollowQuery):
    """Which transitions to tell of."""

    saga: SagaName | None = Field(None, description="Of sagas of this name.")
    status: Status | None = Field(None, description="That bring a saga into this status, or find it there.")

    def wants(self, event: SagaEvent) -> bool:
        """Whether the event is one of them."""
        return self.saga in (None, event.saga) and self.status in (None, event.transition.status)


class EventRoutes:
    """The routes, over the services."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def router(self) -> APIRouter:
        """Their paths."""
        router = APIRouter(prefix="/v1", tags=["sagas"])
        router.get("/sagas/events", **schemas.FOLLOW_ALL)(self.every)
        router.get("/sagas/{saga_id}/events", **schemas.FOLLOW)(self.one)
        return router

    async def every(self, request: Request, query: Annotated[FollowAllQuery, Query()]) -> Response:
        """Every transition of every saga, as server-sent events."""
        last = _last_event_id(request.headers)
        position = None if last is None else Position.parse(last)
        if last is not None and position is None:
            raise _not_an_id("is no id of an event of this stream; leave it out to begin with what happens now")
        return EventStream(
            self._services,
            lambda listener: EverySaga(self._services, listener, position, query.wants).blocks(),
            query.max_s,
        )

    async def one(self, saga_id: str, request: Request, query: Annotated[FollowQuery, Query()]) -> Response:
        """Every transition of one saga, from its start to its end, as server-sent events."""
        last = _last_event_id(request.headers) or "0"
        if not _REVISION.fullmatch(last):
            raise _not_an_id("must be a revision; leave it out to begin with the first one")
        return EventStream(
            self._services,
            lambda listener: OneSaga(self._services, listener, saga_id, int(last)).blocks(),
            query.max_s,
        )


def _last_event_id(headers: Headers) -> str | None:
    """The header; a browser sends an empty one where it has seen no id."""
    return headers.get("last-event-id", "").strip() or None


def _not_an_id(said: str) -> Problem:
    return invalid("headers", [Fault("/Last-Event-ID", said)])
