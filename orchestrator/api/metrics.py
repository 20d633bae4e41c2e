"""`/metrics`, and the counting of requests."""

from typing import Any

import structlog
from fastapi import APIRouter
from starlette.responses import PlainTextResponse, Response
from starlette.types import Scope

from orchestrator.api.caller import PROBES, Asked
from orchestrator.api.services import Services
from orchestrator.metrics.recorder import Recorder

log = structlog.get_logger(__name__)

OTHER = "other"  #: no label is made of what a client wrote
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_ROUTE: dict[str, Any] = {
    "operation_id": "showMetrics",
    "summary": "Metrics for Prometheus",
    "response_class": PlainTextResponse,
    "responses": {200: {"description": "In Prometheus' text format."}},
}


class MetricsRoutes:
    """The route, over the services."""

    def __init__(self, services: Services) -> None:
        self._metrics = services.metrics

    def router(self) -> APIRouter:
        """Its path."""
        router = APIRouter(tags=["health"])
        router.get("/metrics", **_ROUTE)(self.show)
        return router

    async def show(self) -> Response:
        """Everything that is known; answered also while MongoDB or Redis is away."""
        return Response(await self._metrics.text(), media_type=self._metrics.content_type)


class Counted:
    """Counts each answer by its route's template, never by its path; logs it where wanted."""

    def __init__(self, recorder: Recorder, *, logged: bool = False) -> None:
        self._recorder = recorder
        self._logged = logged

    def count(self, scope: Scope, asked: Asked, status: int, took_s: float) -> None:
        """One answer."""
        method = scope["method"] if scope["method"] in _METHODS else OTHER
        route = _template(scope)
        self._recorder.answered(route, method, status, took_s)
        if self._logged and scope["path"] not in PROBES:
            ids = {"request_id": asked.request_id, "caller": asked.caller or None}
            saga_id = scope.get("path_params", {}).get("saga_id")
            said = {"route": route, "status": status, "took_ms": round(took_s * 1_000, 1)}
            log.info("request-answered", method=method, **said, **ids, saga_id=saga_id)


def _template(scope: Scope) -> str:
    path = getattr(scope.get("route"), "path", None)
    return path if isinstance(path, str) else OTHER
