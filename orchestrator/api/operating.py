"""`/v1/sagas/{id}/cancel`, `/retry`, `/skip`, `/abort`: what a person may do with a saga. The core decides whether."""

from collections.abc import Callable
from typing import Annotated, Any

import structlog
from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from starlette.responses import Response

from orchestrator.api import headers
from orchestrator.api import schemas_operating as schemas
from orchestrator.api.answers import find_saga, is_saga_id, saga_answer, saga_not_found
from orchestrator.api.auditing import Deed
from orchestrator.api.body import M, read_json, validated
from orchestrator.api.caller import asked_of
from orchestrator.api.problems import Fault, Kind, Problem, invalid
from orchestrator.api.services import Services
from orchestrator.core.state import (
    AbortRequested,
    CancelRequested,
    Message,
    RetryRequested,
    SagaState,
    SkipRequested,
)
from orchestrator.engine import CHANGED
from orchestrator.identity import names

log = structlog.get_logger(__name__)

MAX_REASON_LENGTH = 1_000

_Reason = Annotated[str, StringConstraints(max_length=MAX_REASON_LENGTH, strict=True)]


class WithReason(BaseModel):
    """Why somebody cancels, retries or aborts a saga."""

    model_config = ConfigDict(extra="forbid")

    reason: _Reason = Field("", description="Why; kept in the saga's history and in the audit log.")


class SkipRequest(BaseModel):
    """A step that somebody has done by hand."""

    model_config = ConfigDict(extra="forbid")

    reason: Annotated[_Reason, StringConstraints(min_length=1)] = Field(description="Why, and what was done by hand.")
    data: dict[str, Any] = Field({}, description="The fields of the step's reply that later steps need.")


class OperatorRoutes:
    """The routes, over the services."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def router(self) -> APIRouter:
        """Their paths."""
        router = APIRouter(prefix="/v1/sagas/{saga_id}", tags=["operating"])
        router.post("/cancel", **schemas.CANCEL)(self.cancel)
        router.post("/retry", **schemas.RETRY)(self.retry)
        router.post("/skip", **schemas.SKIP)(self.skip)
        router.post("/abort", **schemas.ABORT)(self.abort)
        return router

    async def cancel(self, saga_id: str, request: Request) -> Response:
        """Have a running saga undone, as long as its point of no return has not been passed."""
        return await self._act("cancel", saga_id, request, WithReason, lambda asked: CancelRequested(asked.reason))

    async def retry(self, saga_id: str, request: Request) -> Response:
        """Give a stuck saga fresh attempts, in the direction in which it went."""
        return await self._act("retry", saga_id, request, WithReason, lambda asked: RetryRequested(asked.reason))

    async def skip(self, saga_id: str, request: Request) -> Response:
        """Count the step at which a saga is stuck as done by hand."""
        return await self._act(
            "skip", saga_id, request, SkipRequest, lambda asked: SkipRequested(asked.reason, asked.data)
        )

    async def abort(self, saga_id: str, request: Request) -> Response:
        """Have a stuck saga undone, as long as its point of no return has not been passed."""
        return await self._act("abort", saga_id, request, WithReason, lambda asked: AbortRequested(asked.reason))

    async def _act(
        self, action: str, saga_id: str, request: Request, model: type[M], message: Callable[[M], Message]
    ) -> Response:
        async with self._services.auditor.watching(request, Deed(action)) as deed:
            if not is_saga_id(saga_id):
                raise saga_not_found()
            deed.saga_id = saga_id
            asked = validated(model, await read_json(request))
            deed.reason = getattr(asked, "reason", None)
            state = await self._request(saga_id, message(asked), headers.if_match(asked_of(request).fields))
        return saga_answer(self._services, state, 202)

    async def _request(self, saga_id: str, message: Message, revision: int | None) -> SagaState:
        decision = await self._services.engine.request(saga_id, message, revision)
        if decision is None:
            await find_saga(self._services, saga_id)
            raise _refused("definition-unknown", "this process does not have the definition that the saga began with")
        if decision.refused is not None:
            code, _, words = decision.refused.partition(": ")
            if code == "internal":
                log.error("request-raised", **names(decision.state), error=words.partition(":")[0])
            raise _refused(code, words)
        return decision.state


def _refused(code: str, words: str) -> Problem:
    """The core's refusal as a problem."""
    if code == CHANGED:
        return Problem(Kind.REVISION_CHANGED, f"{_sentence(words)} Look at it again.")
    if code == "invalid-data":
        return invalid("body", [Fault("/data", words)])
    if code == "internal":  # What a definition's own function said may be anything.
        words = "the saga's definition can't go on from here; the service's log says what was raised"
    return Problem(Kind.REFUSED, _sentence(words), extra={"code": code})


def _sentence(words: str) -> str:
    return f"{words[:1].upper()}{words[1:]}."
