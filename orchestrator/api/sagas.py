"""`/v1/sagas`: start, look at, list."""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from orchestrator.api import headers, schemas
from orchestrator.api.answers import answer, find_saga, saga_answer
from orchestrator.api.body import read_json
from orchestrator.api.caller import Asked, asked_of
from orchestrator.api.listing import ListQuery, cursor_behind
from orchestrator.api.problems import Fault, Problem, invalid
from orchestrator.api.services import Services
from orchestrator.api.starts import StartFactory, accepted
from orchestrator.api.tracing import link
from orchestrator.api.view import Json, etag, view
from orchestrator.core.state import SagaState
from orchestrator.work import Start


class SagaRoutes:
    """The routes, over the services."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._starts = StartFactory(services.engine.definitions, services.new_id)

    def router(self) -> APIRouter:
        """Their paths."""
        router = APIRouter(prefix="/v1", tags=["sagas"])
        router.post("/sagas", **schemas.START)(self.start)
        router.post("/sagas:batch", **schemas.BATCH)(self.start_batch)
        router.get("/sagas", **schemas.LIST)(self.list)
        router.get("/sagas/{saga_id}", **schemas.GET)(self.get)
        return router

    async def start(self, request: Request) -> Response:
        """Start a saga. The answer comes when it is stored durably, with `Prefer: wait` when it has ended."""
        asked = asked_of(request)
        key = headers.idempotency_key(asked.fields)
        body = await read_json(request)
        start = self._starts.make(body, key=key, traceparent=asked.traceparent, caller=asked.caller)
        self._services.admission.admit(1)
        (started,) = await self._services.starter.start([start])
        state = accepted(started, by_key=key is not None)
        link(self._services.tracer, state)
        extra = {"Location": f"/v1/sagas/{state.id}"}
        if started.replayed:
            extra["Idempotency-Replayed"] = "true"
        return await self._waited(asked, state, extra)

    async def _waited(self, asked: Asked, state: SagaState, extra: dict[str, str]) -> Response:
        wait_s = headers.wait_s(asked.fields, self._services.wait_max_s)
        if wait_s is None:
            return saga_answer(self._services, state, 202, extra)
        state = await self._services.ended(state, wait_s)
        return saga_answer(self._services, state, 200 if state.status.ended else 202, extra | headers.applied(wait_s))

    async def start_batch(self, request: Request) -> Response:
        """Start many sagas in one go: one result each, in order, the saga or a problem."""
        asked = asked_of(request)
        key = headers.idempotency_key(asked.fields)
        bodies = self._bodies(await read_json(request))
        made = [self._made(asked, body, key, index) for index, body in enumerate(bodies)]
        starts = [start for start in made if isinstance(start, Start)]
        results = iter(await self._batch(starts, by_key=key is not None))
        return answer({"results": [next(results) if isinstance(one, Start) else one.to_json() for one in made]})

    def _bodies(self, body: Any) -> Sequence[Any]:
        bodies = body.get("sagas") if isinstance(body, dict) else None
        if not isinstance(body, dict) or not isinstance(bodies, list):
            raise invalid("body", [Fault("/sagas", "must be a list of sagas to start")])
        if extra := [name for name in body if name != "sagas"]:
            raise invalid("body", [Fault(f"/{name}", "is not a field of this request") for name in extra])
        if not 1 <= len(bodies) <= self._services.max_batch:
            raise invalid("body", [Fault("/sagas", f"must hold 1 to {self._services.max_batch} sagas")])
        return bodies

    def _made(self, asked: Asked, body: Any, key: str | None, index: int) -> Start | Problem:
        own_key = None if key is None else f"{key}\n{index}"
        # The client's trace, where there is one; else each saga begins its own.
        traceparent = asked.traceparent if headers.traceparent(asked.fields) else None
        try:
            return self._starts.make(
                body, key=own_key, traceparent=traceparent, caller=asked.caller, under=f"/sagas/{index}"
            )
        except Problem as problem:
            return problem

    async def _batch(self, starts: Sequence[Start], *, by_key: bool) -> list[Json]:
        if not starts:
            return []
        self._services.admission.admit(len(starts))
        results = []
        for started in await self._services.starter.start(starts):
            try:
                state = accepted(started, by_key=by_key)
                link(self._services.tracer, state)
                results.append(self._view(state))
            except Problem as problem:
                results.append(problem.to_json())
        return results

    async def get(self, saga_id: str, request: Request) -> Response:
        """One saga; with `Prefer: wait` when it has ended, with `If-None-Match` only if it has changed."""
        state = await find_saga(self._services, saga_id)
        fields = asked_of(request).fields
        wait_s = headers.wait_s(fields, self._services.wait_max_s)
        extra = {}
        if wait_s is not None:
            state = await self._services.ended(state, wait_s)
            extra = headers.applied(wait_s)
        if headers.matches(fields, etag(state)):
            return Response(status_code=304, headers={"ETag": etag(state)} | extra)
        return saga_answer(self._services, state, 200, extra)

    async def list(self, query: Annotated[ListQuery, Query()]) -> Response:
        """Sagas, newest first, page by page."""
        page = await self._services.engine.store.page(query.to_query())
        more = cursor_behind(*page.next) if page.next else None
        return answer({"items": [self._view(state) for state in page.sagas], "next": more})

    def _view(self, state: SagaState) -> Json:
        return view(state, self._services.definition(state))
