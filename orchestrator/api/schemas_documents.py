"""What the OpenAPI document says of the pages and documents about the service itself."""

from typing import Any

from starlette.responses import HTMLResponse, JSONResponse

from orchestrator.api.describing import Route, problems
from orchestrator.api.problems import Kind

_HTML = {"text/html": {"schema": {"type": "string"}}}
_JSON = {"application/json": {"schema": {"type": "object"}}}
_ALWAYS = (Kind.OVERLOADED, Kind.INTERNAL_ERROR)


def _route(operation_id: str, summary: str, content: dict[str, Any], *kinds: Kind) -> Route:
    answers = {200: {"description": "The page or document.", "content": content}, **problems(*_ALWAYS, *kinds)}
    return {"operation_id": operation_id, "summary": summary, "response_class": HTMLResponse, "responses": answers}


DOCS: Route = _route("showDocs", "This document, to try out", _HTML)
ASSET: Route = {"include_in_schema": False}
ASYNCAPI_PAGE: Route = _route("showMessages", "The streams and their messages", _HTML | _JSON)
ASYNCAPI: Route = {
    **_route("showAsyncApi", "The AsyncAPI document", _JSON),
    "response_class": JSONResponse,
}
PROBLEMS: Route = _route("listProblems", "Every type of problem", _HTML)
PROBLEM: Route = _route(
    "showProblem", "What a type of problem means, and what to do", _HTML, Kind.NOT_FOUND, Kind.INVALID_REQUEST
)
