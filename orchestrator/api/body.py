"""Request bodies: strict JSON, and the models of what may be sent.

A body has been limited in bytes before it comes here (guard.py). Whatever it holds, only `Problem` comes out.
"""

import json
from typing import Annotated, Any, NoReturn, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from starlette.requests import Request

from orchestrator.api.caller import asked_of
from orchestrator.api.problems import Fault, Kind, Problem, faults_of, invalid
from sagas.contracts import MAX_NAME_LENGTH, NAME
from sagas.storable import MAX_DEPTH

ID_PATTERN = r"^[A-Za-z0-9_-]{1,64}$"
RESERVED_IDS = frozenset({"events"})  #: they name other resources below /v1/sagas
MAX_INT_LENGTH = 20  #: digits and sign of the longest integer that fits into 64 bits
_BEYOND = 2**64  #: stands for every longer one, which is refused like this one, with its place

SagaName = Annotated[str, StringConstraints(pattern=f"^{NAME.pattern}$", max_length=MAX_NAME_LENGTH, strict=True)]
SagaId = Annotated[str, StringConstraints(pattern=ID_PATTERN, strict=True)]

M = TypeVar("M", bound=BaseModel)


class StartRequest(BaseModel):
    """A saga to start."""

    model_config = ConfigDict(extra="forbid")

    saga: SagaName = Field(description="The saga's name.", examples=["order"])
    data: dict[str, Any] = Field(description="Its input; each saga says which fields it takes.")
    id: SagaId | None = Field(None, description="An id of the client's own; the same id starts a saga once.")


class _Malformed(ValueError):
    """Why it is not the JSON that we take."""


async def read_json(request: Request) -> Any:
    """The body's JSON value."""
    asked = asked_of(request)
    if asked.fields.get("content-encoding", "identity").strip().lower() != "identity":
        raise Problem(Kind.UNSUPPORTED_MEDIA_TYPE, "Send the body as it is, without Content-Encoding.")
    media_type = asked.fields.get("content-type").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise Problem(Kind.UNSUPPORTED_MEDIA_TYPE, "Send the header Content-Type: application/json.")
    return parse_json(await asked.body())


def parse_json(body: bytes) -> Any:
    """Strict JSON: no NaN, no key twice, UTF-8 only, nothing deeper than can be stored."""
    try:
        return _DECODER.decode(body.decode("utf-8"))
    except RecursionError:
        raise invalid("body", [Fault("", f"nested deeper than {MAX_DEPTH} levels")]) from None
    except UnicodeDecodeError:
        raise Problem(Kind.MALFORMED_JSON, "The body is not UTF-8.") from None
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise Problem(Kind.MALFORMED_JSON, f"{error.msg} ({where}).") from None
    except _Malformed as error:
        raise Problem(Kind.MALFORMED_JSON, str(error)) from None


def validated(model: type[M], value: Any, under: str = "") -> M:
    """The value as a model; `under` is its place in the body."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise invalid("body", faults_of(error, under)) from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise _Malformed("An object has the same key twice.")
    return found


def _integer(digits: str) -> int:
    return int(digits) if len(digits) <= MAX_INT_LENGTH else _BEYOND


def _constant(name: str) -> NoReturn:
    raise _Malformed(f"{name} is not JSON.")


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_int=_integer, parse_constant=_constant)
