"""What several routes answer with: JSON, and a saga. Nothing here decides."""

import re
from collections.abc import Mapping

from pydantic_core import to_json
from starlette.responses import Response

from orchestrator.api.body import ID_PATTERN
from orchestrator.api.problems import Kind, Problem
from orchestrator.api.services import Services
from orchestrator.api.view import Json, etag, view
from orchestrator.core.state import SagaState

_ID = re.compile(ID_PATTERN)


def answer(value: Json, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """JSON."""
    return Response(to_json(value), status, dict(headers or {}), "application/json")


def saga_answer(
    services: Services, state: SagaState, status: int, headers: Mapping[str, str] | None = None
) -> Response:
    """A saga, with its revision as `ETag`."""
    return answer(view(state, services.definition(state)), status, {"ETag": etag(state), **(headers or {})})


def is_saga_id(text: str) -> bool:
    """Whether a saga can have this id at all."""
    return _ID.fullmatch(text) is not None


async def find_saga(services: Services, saga_id: str) -> SagaState:
    """The saga with that id; raises `Problem` where there is none."""
    found = await services.engine.store.load([saga_id]) if is_saga_id(saga_id) else {}
    if saga_id not in found:
        raise saga_not_found()
    return found[saga_id]


def saga_not_found() -> Problem:
    """There is no saga with this id."""
    return Problem(Kind.SAGA_NOT_FOUND, "No saga has this id.")
