"""`/v1/sagas/{id}/history`: how a saga came to this, and what it looked like on the way."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from orchestrator.api import schemas_history as schemas
from orchestrator.api.answers import answer, is_saga_id, saga_not_found
from orchestrator.api.problems import Kind, Problem
from orchestrator.api.services import Services
from orchestrator.api.view import Json, rfc3339
from orchestrator.core.history import Snapshot, at_revision, first_revision
from orchestrator.core.state import Transition
from orchestrator.documents import Past


class HistoryQuery(BaseModel):
    """What to show beside the transitions."""

    model_config = ConfigDict(extra="forbid")

    revision: int | None = Field(None, ge=1, lt=2**63, description="Also show the saga as it was at this revision.")


class HistoryRoutes:
    """The route, over the services."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def router(self) -> APIRouter:
        """Its path."""
        router = APIRouter(prefix="/v1", tags=["sagas"])
        router.get("/sagas/{saga_id}/history", **schemas.HISTORY)(self.history)
        return router

    async def history(self, saga_id: str, query: Annotated[HistoryQuery, Query()]) -> Response:
        """Every transition that is still known, oldest first; with `?revision=` the saga as it was then."""
        past = await self._services.engine.store.history(saga_id) if is_saga_id(saga_id) else None
        if past is None:
            raise saga_not_found()
        return answer(_shown(past, query.revision))


def _shown(past: Past, revision: int | None) -> Json:
    first = first_revision(past.transitions)
    shown: Json = {
        "items": [_transition(transition) for transition in past.transitions],
        "truncated_before": first if first > 1 else None,
    }
    if revision is None:
        return shown
    snapshot = at_revision(past.state, past.transitions, revision)
    if snapshot is None:
        said = f"The history tells of the revisions {first} to {past.state.revision}."
        raise Problem(Kind.REVISION_NOT_FOUND, said)
    return shown | {"then": _snapshot(snapshot)}


def _transition(transition: Transition) -> Json:
    return {
        "revision": transition.revision,
        "at": rfc3339(transition.at),
        "events": list(transition.events),
        "status": transition.status.value,
        "step": transition.step,
        "step_status": transition.step_status and transition.step_status.value,
        "kind": transition.kind and transition.kind.value,
        "attempt": transition.attempt,
        "code": transition.code,
        "detail": transition.detail,
        "data": None if transition.data is None else dict(transition.data),
        "count": transition.count,
    }


def _snapshot(snapshot: Snapshot) -> Json:
    return {
        "revision": snapshot.revision,
        "at": rfc3339(snapshot.at),
        "status": snapshot.status.value,
        "steps": [{"name": name, "status": status.value} for name, status in snapshot.steps],
        "data": dict(snapshot.data),
    }
