"""Errors as `application/problem+json` (RFC 9457). `type` is stable; nothing here ever shows internals or values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from pydantic_core import to_json
from starlette.responses import Response

from orchestrator.api.problem_kinds import Kind as Kind
from sagas.storable import NotStorable

MEDIA_TYPE = "application/problem+json"
MAX_ERRORS = 20
MAX_POINTER_LENGTH = 200

Json = dict[str, Any]


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


#: Pydantic's words name classes of ours, or of Python.
_WORDS = dict.fromkeys(("model_type", "model_attributes_type", "dict_type"), "Input should be a JSON object")


def faults_of(error: ValidationError, under: str = "") -> list[Fault]:
    """A validation error's faults, without the values that were sent."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    return [Fault(under + pointer(one["loc"]), _WORDS.get(one["type"], one["msg"])) for one in found]


def fault_of(error: NotStorable, under: str = "") -> Fault:
    """What can't be stored."""
    return Fault(under + error.path, error.reason)


def pointer(path: Sequence[int | str]) -> str:
    """A JSON pointer (RFC 6901)."""
    parts = (str(part).encode(errors="backslashreplace").decode() for part in path)
    return "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in parts)
