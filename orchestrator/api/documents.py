"""Pages and documents about the service itself. They load nothing from another site, and work below any path.

`/docs` tries out the OpenAPI document, `/asyncapi` shows the messages, `/problems` what went wrong and what to do.
Swagger UI comes from a Python package; the pages refer to everything relatively, so a proxy may put them anywhere.
"""

from importlib.resources import files
from typing import Any

import fastapi_offline
from fastapi import APIRouter, Request
from pydantic_core import to_json
from starlette.responses import HTMLResponse, Response

from orchestrator.api import asyncapi, pages
from orchestrator.api import schemas_documents as schemas
from orchestrator.api.problems import Kind, Problem
from orchestrator.api.services import Services

#: Nothing but what this service itself serves, no inline script or style, and nobody may frame it.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_SAFE = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Vary": "Accept",
}
_KEPT = {"Cache-Control": "private, max-age=3600"}  #: what changes with a new release only
_SWAGGER = files(fastapi_offline) / "static"


class DocumentRoutes:
    """The routes, over the services."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._document: dict[str, Any] = {}
        self._page = ""
        self._assets: dict[str, tuple[bytes, str]] = {}

    def router(self) -> APIRouter:
        """Their paths."""
        router = APIRouter(tags=["documents"])
        router.get("/docs", **schemas.DOCS)(self.docs)
        router.get("/docs/{name}", **schemas.ASSET)(self.asset)
        router.get("/asyncapi", **schemas.ASYNCAPI_PAGE)(self.asyncapi_page)
        router.get("/asyncapi.json", **schemas.ASYNCAPI)(self.asyncapi)
        router.get("/problems", **schemas.PROBLEMS)(self.problems)
        router.get("/problems/{name}", **schemas.PROBLEM)(self.problem)
        return router

    async def docs(self) -> Response:
        """Swagger UI over the OpenAPI document."""
        return HTMLResponse(pages.DOCS, headers=_SAFE)

    async def asset(self, name: str) -> Response:
        """A script or style sheet of these pages."""
        if not self._assets:
            self._assets = _assets()
        if name not in self._assets:
            raise Problem(Kind.NOT_FOUND, f"{Kind.NOT_FOUND.title}.")
        content, media_type = self._assets[name]
        return Response(content, media_type=media_type, headers=_KEPT)

    async def asyncapi_page(self, request: Request) -> Response:
        """The AsyncAPI document: a page where HTML is asked for, else JSON."""
        if not _wants_page(request):
            return await self.asyncapi()
        self._page = self._page or pages.asyncapi(self._described())
        return HTMLResponse(self._page, headers=_SAFE)

    async def asyncapi(self) -> Response:
        """The AsyncAPI document."""
        return Response(to_json(self._described()), media_type="application/json", headers={"Vary": "Accept"})

    async def problems(self) -> Response:
        """Every type of problem."""
        return HTMLResponse(pages.problems(), headers=_SAFE)

    async def problem(self, name: str) -> Response:
        """What a type of problem means, and what to do: its `type` leads here."""
        for kind in Kind:
            if kind.slug == name:
                return HTMLResponse(pages.problem(kind), headers=_SAFE)
        raise Problem(Kind.NOT_FOUND, "There is no problem of this type.")

    def _described(self) -> dict[str, Any]:
        if not self._document:
            self._document = asyncapi.describe(self._services.engine.definitions, self._services.streams)
        return self._document


def _assets() -> dict[str, tuple[bytes, str]]:
    """Name → content and media type; about 2 MB, so only once somebody asks."""
    return {
        "swagger-ui.js": ((_SWAGGER / "swagger-ui-bundle.js").read_bytes(), "text/javascript"),
        "swagger-ui.css": ((_SWAGGER / "swagger-ui.css").read_bytes(), "text/css"),
        "start.js": (pages.START.encode(), "text/javascript"),
        "page.css": (pages.STYLE.encode(), "text/css"),
    }


def _wants_page(request: Request) -> bool:
    return "text/html" in request.headers.get("accept", "")
