"""What the OpenAPI document says of requests and answers.

The answers themselves are made by view.py and problems.py; a test holds the two together.
"""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from orchestrator.api.describing import (
    EVERY_POST,
    SAFE,
    Route,
    Shown,
    body,
    header,
    links,
    problem,
    problems,
    shows,
    text,
)
from orchestrator.api.problems import Kind
from orchestrator.core.state import Status, StepStatus


class StepError(Shown):
    """Why the newest attempt of a step did not succeed."""

    code: str
    detail: str


class Step(Shown):
    """One step of a saga."""

    name: str
    status: StepStatus
    attempts: int
    started_at: datetime | None
    ended_at: datetime | None
    error: StepError | None


class Failure(Shown):
    """Why a saga is not going to complete."""

    step: str | None
    code: str
    detail: str


class Saga(Shown):
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


class Error(Shown):
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


class Page(Shown):
    """A page of sagas."""

    items: list[Saga]
    next: str | None = Field(
        description="The cursor of the next page; null on the last one, and only that ends a list: with `q` a "
        "page may have fewer sagas than `limit`, or none, where more follow behind very many others."
    )


class Results(Shown):
    """One result for each saga that was to be started, in order."""

    results: list[Saga | Problem]


class Alive(Shown):
    """The process answers."""

    status: Literal["alive"]


class Ready(Shown):
    """The service works."""

    status: Literal["ready"]
    checks: dict[str, str] | None = None


_LOCATION = {"Location": text("The saga's path.", "/v1/sagas/0198c1a2-8d5e-7f00-8000-000000000000")}
ETAG = {"ETag": text("The saga's revision.", '"3"')}
_APPLIED = {"Preference-Applied": text("How long the answer may have waited.", "wait=10")}
_REPLAYED = {"Idempotency-Replayed": text("`true`: the same request started this saga before.", "true")}
_KEY = header(
    "Idempotency-Key",
    "Makes a repeat of this request safe: one saga for each key. In quotation marks or without.",
    pattern=r"^[!#-~]([ -~]{0,253}[!-~])?$",
)
_PREFER = header("Prefer", "`wait=10` waits up to 10 s for the saga's end.")
_IF_NONE_MATCH = header("If-None-Match", "An `ETag`: 304 if the saga has not changed since.")

_OPERATIONS = ("getSaga", "getHistory", "cancelSaga", "retrySaga", "skipStep", "abortSaga")
_ON_WITH_IT = links("saga_id", "$response.body#/id", *_OPERATIONS)

START: Route = {
    "operation_id": "startSaga",
    "summary": "Start a saga",
    "status_code": 202,
    "responses": {
        200: shows(Saga, "It has ended within the time to wait.", _LOCATION, ETAG, _APPLIED, _REPLAYED) | _ON_WITH_IT,
        202: shows(Saga, "It is stored and under way.", _LOCATION, ETAG, _APPLIED, _REPLAYED) | _ON_WITH_IT,
        **problems(
            *EVERY_POST,
            Kind.ID_TAKEN,
            Kind.INVALID_REQUEST,
            Kind.UNKNOWN_SAGA,
            Kind.KEY_REUSED,
            Kind.OVERLOADED,
            *SAFE,
        ),
    },
    "openapi_extra": {"parameters": [_KEY, _PREFER], "requestBody": body("StartRequest")},
}
BATCH: Route = {
    "operation_id": "startSagas",
    "summary": "Start many sagas",
    "responses": {
        200: shows(Results, "One result each, in order."),
        **problems(*EVERY_POST, Kind.INVALID_REQUEST, Kind.OVERLOADED, *SAFE),
    },
    "openapi_extra": {"parameters": [_KEY], "requestBody": body("BatchRequest")},
}
LIST: Route = {
    "operation_id": "listSagas",
    "summary": "List sagas",
    "responses": {200: shows(Page, "Newest first."), **problems(Kind.INVALID_REQUEST, Kind.OVERLOADED, *SAFE)},
}
GET: Route = {
    "operation_id": "getSaga",
    "summary": "Look at a saga",
    "responses": {
        200: shows(Saga, "The saga.", ETAG, _APPLIED),
        304: {"description": "It has not changed.", "headers": ETAG},
        **problems(Kind.SAGA_NOT_FOUND, Kind.OVERLOADED, *SAFE),
        422: problem([Kind.INVALID_REQUEST]),
    },
    "openapi_extra": {"parameters": [_PREFER, _IF_NONE_MATCH]},
}
LIVE: Route = {
    "operation_id": "isAlive",
    "summary": "Whether the process answers",
    "responses": {200: shows(Alive, "It does.")},
}
READY: Route = {
    "operation_id": "isReady",
    "summary": "Whether the service works",
    "responses": {
        200: shows(Ready, "It does."),
        **problems(Kind.NOT_READY, Kind.INVALID_REQUEST, Kind.INTERNAL_ERROR),
    },
}
