"""`/metrics`, and the counting of requests."""

import asyncio
from typing import Any

import structlog
from fastapi import APIRouter
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from orchestrator.api.caller import PROBES, found
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
_BROKEN_OFF = 499  #: the client has gone before there was an answer


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
    """Wraps the application: counts each answer by its route's template, never by its path; logs it where wanted."""

    def __init__(self, app: ASGIApp, recorder: Recorder, *, logged: bool = False) -> None:
        self._app = app
        self._recorder = recorder
        self._logged = logged

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = _BROKEN_OFF

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        loop = asyncio.get_running_loop()
        begun = loop.time()
        try:
            await self._app(scope, receive, noting)
        finally:
            method = scope["method"] if scope["method"] in _METHODS else OTHER
            took_s = loop.time() - begun
            self._recorder.answered(_template(scope), method, status, took_s)
            if self._logged and scope["path"] not in PROBES:
                ids = {name: found(scope, name) for name in ("request_id", "caller")}
                saga_id = scope.get("path_params", {}).get("saga_id")
                said = {"route": _template(scope), "status": status, "took_ms": round(took_s * 1_000, 1)}
                log.info("request-answered", method=method, **said, **ids, saga_id=saga_id)


def _template(scope: Scope) -> str:
    path = getattr(scope.get("route"), "path", None)
    return path if isinstance(path, str) else OTHER
