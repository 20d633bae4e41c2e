"""Errors as `application/problem+json` (RFC 9457). `type` is stable; nothing here ever shows internals or values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from pydantic import ValidationError
from pydantic_core import to_json
from starlette.responses import Response

from sagas.storable import NotStorable

MEDIA_TYPE = "application/problem+json"
MAX_ERRORS = 20
MAX_POINTER_LENGTH = 200

Json = dict[str, Any]


class Kind(Enum):
    """Every problem there is: name in `type`, status, title."""

    MALFORMED_JSON = ("malformed-json", 400, "The body is not valid JSON")
    BAD_REQUEST = ("bad-request", 400, "The request is not valid HTTP")
    UNAUTHENTICATED = ("unauthenticated", 401, "An API key is needed")
    SCOPE_MISSING = ("scope-missing", 403, "The API key may not be used for this")
    CROSS_SITE = ("cross-site", 403, "Pages of other sites may not ask for this")
    NOT_FOUND = ("not-found", 404, "There is nothing here")
    SAGA_NOT_FOUND = ("saga-not-found", 404, "There is no saga with this id")
    DEAD_LETTER_NOT_FOUND = ("dead-letter-not-found", 404, "There is no dead letter with this id")
    DEFINITION_NOT_FOUND = ("definition-not-found", 404, "There is no such definition")
    REVISION_NOT_FOUND = ("revision-not-found", 404, "This revision is not known")
    METHOD_NOT_ALLOWED = ("method-not-allowed", 405, "This method is not allowed here")
    BODY_TIMEOUT = ("body-timeout", 408, "The body took too long to arrive")
    ID_TAKEN = ("id-taken", 409, "Another saga has this id")
    REFUSED = ("refused", 409, "This can't be done as things are")
    REVISION_CHANGED = ("revision-changed", 412, "The saga is not at this revision")
    BODY_TOO_LARGE = ("body-too-large", 413, "The body is too large")
    UNSUPPORTED_MEDIA_TYPE = ("unsupported-media-type", 415, "The body must be application/json")
    INVALID_REQUEST = ("invalid-request", 422, "The request is not valid")
    UNKNOWN_SAGA = ("unknown-saga", 422, "There is no saga of this name")
    KEY_REUSED = ("idempotency-key-reused", 422, "This idempotency key was used for another request")
    INTERNAL_ERROR = ("internal-error", 500, "Something went wrong here")
    UNAVAILABLE = ("unavailable", 503, "The service can't do this right now")
    OVERLOADED = ("overloaded", 503, "The service is too busy")
    NOT_READY = ("not-ready", 503, "The service is not ready")

    def __init__(self, slug: str, status: int, title: str) -> None:
        self.type = f"/problems/{slug}"
        self.status = status
        self.title = title


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong with a request: where (a JSON pointer), and what, without the value."""

    pointer: str
    detail: str

    def to_json(self) -> Json:
        return {"pointer": self.pointer[:MAX_POINTER_LENGTH], "detail": self.detail}


class Problem(Exception):
    """A request that is answered with an error."""

    def __init__(
        self,
        kind: Kind,
        detail: str,
        *,
        faults: Sequence[Fault] = (),
        headers: Mapping[str, str] | None = None,
        extra: Json | None = None,
    ) -> None:
        self.kind = kind
        self.detail = detail
        self.faults = faults
        self.headers = dict(headers or {})
        self.extra = extra or {}
        super().__init__(detail)

    def to_json(self) -> Json:
        """The problem as JSON."""
        shown: Json = {
            "type": self.kind.type,
            "title": self.kind.title,
            "status": self.kind.status,
            "detail": self.detail,
        }
        if self.faults:
            shown["errors"] = [fault.to_json() for fault in self.faults[:MAX_ERRORS]]
        return shown | self.extra

    def response(self) -> Response:
        """The problem as an answer."""
        return Response(to_json(self.to_json()), self.kind.status, self.headers, MEDIA_TYPE)


def retry_later(kind: Kind, detail: str, retry_after_s: int) -> Problem:
    """A 503 that says when to come back."""
    return Problem(kind, detail, headers={"Retry-After": str(retry_after_s)})


def invalid(part: str, faults: Sequence[Fault]) -> Problem:
    """Faults in a part of the request: its body, query or headers."""
    said = "is 1 fault" if len(faults) == 1 else f"are {len(faults)} faults"
    return Problem(Kind.INVALID_REQUEST, f"There {said} in the {part}; see `errors`.", faults=faults)


def faults_of(error: ValidationError, under: str = "") -> list[Fault]:
    """A validation error's faults, without the values that were sent."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    return [Fault(under + pointer(one["loc"]), one["msg"]) for one in found]


def fault_of(error: NotStorable, under: str = "") -> Fault:
    """What can't be stored."""
    return Fault(under + error.path, error.reason)


def pointer(path: Sequence[int | str]) -> str:
    """A JSON pointer (RFC 6901)."""
    parts = (str(part).encode(errors="backslashreplace").decode() for part in path)
    return "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in parts)
