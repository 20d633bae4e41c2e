"""What the OpenAPI document says of requests and answers.

The answers themselves are made by view.py and problems.py; a test holds the two together.
"""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from orchestrator.api.problems import MEDIA_TYPE, Kind
from orchestrator.core.state import Status, StepStatus


class _Shown(BaseModel):
    model_config = ConfigDict(extra="forbid")


class StepError(_Shown):
    """Why the newest attempt of a step did not succeed."""

    code: str
    detail: str


class Step(_Shown):
    """One step of a saga."""

    name: str
    status: StepStatus
    attempts: int
    started_at: datetime | None
    ended_at: datetime | None
    error: StepError | None


class Failure(_Shown):
    """Why a saga is not going to complete."""

    step: str | None
    code: str
    detail: str


class Saga(_Shown):
    """A saga."""

    id: str
    saga: str
    version: int
    status: Status
    revision: int
    data: dict[str, Any]
    steps: list[Step]
    failure: Failure | None
    waiting_for: str | None = Field(description="What it waits for, in words; null when it has ended.")
    created_at: datetime
    updated_at: datetime
    ended_at: datetime | None


class Error(_Shown):
    """One fault of a request."""

    pointer: str = Field(description="Where, as a JSON pointer.")
    detail: str


class Problem(BaseModel):
    """A problem (RFC 9457)."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(description="Stable; one of /problems/….")
    title: str
    status: int
    detail: str
    errors: list[Error] | None = None


class Page(_Shown):
    """A page of sagas."""

    items: list[Saga]
    next: str | None = Field(description="The cursor of the next page; null on the last one.")


class Results(_Shown):
    """One result for each saga that was to be started, in order."""

    results: list[Saga | Problem]


class Alive(_Shown):
    """The process answers."""

    status: Literal["alive"]


class Ready(_Shown):
    """The service works."""

    status: Literal["ready"]
    checks: dict[str, str] | None = None


Responses = dict[int | str, dict[str, Any]]
Route = dict[str, Any]

_EVERY_POST = (Kind.MALFORMED_JSON, Kind.BODY_TIMEOUT, Kind.BODY_TOO_LARGE, Kind.UNSUPPORTED_MEDIA_TYPE)
_SAFE = (Kind.INTERNAL_ERROR, Kind.UNAVAILABLE)


def _text(description: str, example: str) -> dict[str, Any]:
    return {"description": description, "schema": {"type": "string"}, "example": example}


_LOCATION = {"Location": _text("The saga's path.", "/v1/sagas/0198c1a2-8d5e-7f00-8000-000000000000")}
_ETAG = {"ETag": _text("The saga's revision.", '"3"')}
_APPLIED = {"Preference-Applied": _text("How long the answer may have waited.", "wait=10")}
_REPLAYED = {"Idempotency-Replayed": _text("`true`: the same request started this saga before.", "true")}


def _header(name: str, description: str, **schema: Any) -> dict[str, Any]:
    return {"name": name, "in": "header", "description": description, "schema": {"type": "string", **schema}}


_KEY = _header(
    "Idempotency-Key",
    "Makes a repeat of this request safe: one saga for each key. In quotation marks or without.",
    pattern=r"^[!#-~]([ -~]{0,253}[!-~])?$",
)
_PREFER = _header("Prefer", "`wait=10` waits up to 10 s for the saga's end.")
_IF_NONE_MATCH = _header("If-None-Match", "An `ETag`: 304 if the saga has not changed since.")


def _problems(*kinds: Kind) -> Responses:
    """One response for each status, naming its problem types."""
    by_status: dict[int, list[Kind]] = {}
    for kind in kinds:
        by_status.setdefault(kind.status, []).append(kind)
    return {status: _problem(of_status) for status, of_status in by_status.items()}


def _problem(kinds: list[Kind]) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "description": "; ".join(f"{kind.title} (`{kind.type}`)" for kind in kinds),
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    if kinds[0].status == 503:
        shown["headers"] = {"Retry-After": _text("Seconds after which to come back.", "2")}
    return shown


def _shows(model: type[BaseModel], description: str, *headers: dict[str, Any]) -> dict[str, Any]:
    merged = {name: shown for header in headers for name, shown in header.items()}
    return {"model": model, "description": description, **({"headers": merged} if merged else {})}


def _body(schema: str) -> dict[str, Any]:
    return {"required": True, "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}}


START: Route = {
    "operation_id": "startSaga",
    "summary": "Start a saga",
    "status_code": 202,
    "responses": {
        200: _shows(Saga, "It has ended within the time to wait.", _LOCATION, _ETAG, _APPLIED, _REPLAYED),
        202: _shows(Saga, "It is stored and under way.", _LOCATION, _ETAG, _APPLIED, _REPLAYED),
        **_problems(
            *_EVERY_POST,
            Kind.ID_TAKEN,
            Kind.INVALID_REQUEST,
            Kind.UNKNOWN_SAGA,
            Kind.KEY_REUSED,
            Kind.OVERLOADED,
            *_SAFE,
        ),
    },
    "openapi_extra": {"parameters": [_KEY, _PREFER], "requestBody": _body("StartRequest")},
}
BATCH: Route = {
    "operation_id": "startSagas",
    "summary": "Start many sagas",
    "responses": {
        200: _shows(Results, "One result each, in order."),
        **_problems(*_EVERY_POST, Kind.INVALID_REQUEST, Kind.OVERLOADED, *_SAFE),
    },
    "openapi_extra": {"parameters": [_KEY], "requestBody": _body("BatchRequest")},
}
LIST: Route = {
    "operation_id": "listSagas",
    "summary": "List sagas",
    "responses": {200: _shows(Page, "Newest first."), **_problems(Kind.INVALID_REQUEST, Kind.OVERLOADED, *_SAFE)},
}
GET: Route = {
    "operation_id": "getSaga",
    "summary": "Look at a saga",
    "responses": {
        200: _shows(Saga, "The saga.", _ETAG, _APPLIED),
        304: {"description": "It has not changed.", "headers": _ETAG},
        **_problems(Kind.SAGA_NOT_FOUND, Kind.OVERLOADED, *_SAFE),
        422: _problem([Kind.INVALID_REQUEST]),
    },
    "openapi_extra": {"parameters": [_PREFER, _IF_NONE_MATCH]},
}
LIVE: Route = {
    "operation_id": "isAlive",
    "summary": "Whether the process answers",
    "responses": {200: _shows(Alive, "It does.")},
}
READY: Route = {
    "operation_id": "isReady",
    "summary": "Whether the service works",
    "responses": {
        200: _shows(Ready, "It does."),
        **_problems(Kind.NOT_READY, Kind.INVALID_REQUEST, Kind.INTERNAL_ERROR),
    },
}
