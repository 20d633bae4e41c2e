"""The parts that the OpenAPI document's descriptions of routes are put together from."""

from typing import Any

from pydantic import BaseModel, ConfigDict

from orchestrator.api.problems import MEDIA_TYPE, Kind

Responses = dict[int | str, dict[str, Any]]
Route = dict[str, Any]

EVERY_POST = (Kind.MALFORMED_JSON, Kind.BODY_TIMEOUT, Kind.BODY_TOO_LARGE, Kind.UNSUPPORTED_MEDIA_TYPE)
SAFE = (Kind.INTERNAL_ERROR, Kind.UNAVAILABLE)
EVERYWHERE = (Kind.HEAD_TOO_LARGE,)


class Shown(BaseModel):
    """What is shown has these fields and no other."""

    model_config = ConfigDict(extra="forbid")


def text(description: str, example: str) -> dict[str, Any]:
    """A header of an answer."""
    return {"description": description, "schema": {"type": "string"}, "example": example}


def header(name: str, description: str, **schema: Any) -> dict[str, Any]:
    """A header of a request."""
    return {"name": name, "in": "header", "description": description, "schema": {"type": "string", **schema}}


def problems(*kinds: Kind) -> Responses:
    """One response for each status, naming its problem types."""
    by_status: dict[int, list[Kind]] = {}
    for kind in kinds:
        by_status.setdefault(kind.status, []).append(kind)
    return {status: problem(of_status) for status, of_status in by_status.items()}


def problem(kinds: list[Kind]) -> dict[str, Any]:
    """One response for problem types of one status."""
    shown: dict[str, Any] = {
        "description": "; ".join(f"{kind.title} (`{kind.type}`)" for kind in kinds),
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}, "example": _example(kinds[0])}},
    }
    if kinds[0].status in (429, 503):
        shown["headers"] = {"Retry-After": text("Seconds after which to come back.", "2")}
    return shown


def _example(kind: Kind) -> dict[str, Any]:
    return {"type": kind.type, "title": kind.title, "status": kind.status, "detail": f"{kind.title}."}


def shows(model: type[BaseModel], description: str, *headers: dict[str, Any]) -> dict[str, Any]:
    """An answer of this model."""
    merged = {name: shown for header in headers for name, shown in header.items()}
    return {"model": model, "description": description, **({"headers": merged} if merged else {})}


def links(parameter: str, source: str, *operations: str) -> dict[str, Any]:
    """Which operations take a value out of this answer."""
    return {"links": {name: {"operationId": name, "parameters": {parameter: source}} for name in operations}}


def body(schema: str) -> dict[str, Any]:
    """A JSON body of this schema."""
    return {"required": True, "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}}
