"""How sagas, definitions and keys are written into requests."""

import re
from typing import Any

from client.errors import InvalidRequest, NotFound, Problem
from client.models import Json, SagaInstance
from sagas import Saga

_API_KEY = re.compile(r"[\x21-\x7e]+")
_ID = re.compile(r"(?!events\Z)[A-Za-z0-9_-]{1,64}")


def instance_of(saga: Saga | str | None) -> type[SagaInstance[Any]]:
    """The model of its instances: where the definition is given, it knows the type of their data."""
    return SagaInstance[saga.data] if isinstance(saga, Saga) else SagaInstance[Json]  # type: ignore[name-defined]


def name_of(saga: Saga | str | None) -> str | None:
    """The definition's name."""
    return saga.name if isinstance(saga, Saga) else saga


def saga_path(saga_id: str) -> str:
    """Where the saga is. Raises `NotFound` for what no saga's id can be: it might be the name of another resource."""
    if not _ID.fullmatch(saga_id):
        said = f"No saga has the id {saga_id[:80]!r}."
        raise NotFound(Problem(404, "/problems/saga-not-found", detail=said), said)
    return f"/v1/sagas/{saga_id}"


def authorization(key: str | None) -> dict[str, str]:
    """The header for an API key; `ValueError`, which does not hold the key, for what can't be one."""
    if not key:
        return {}
    if not _API_KEY.fullmatch(key):  # Else the HTTP library refuses it, in an error that quotes it.
        raise ValueError("the API key has a space, a line's end or another character that no key has")
    return {"Authorization": f"Bearer {key}"}


def key_header(key: str | None) -> dict[str, str]:
    """The key as a structured field's string (RFC 8941), so that any visible character may be in it."""
    if key is None:
        return {}
    if not (key.isascii() and key.isprintable() and key):
        said = "An idempotency key is 1 to 255 visible ASCII characters."
        raise InvalidRequest(Problem(422, "/problems/invalid-request", detail=said), said)
    escaped = key.replace("\\", "\\\\").replace('"', '\\"')
    return {"Idempotency-Key": f'"{escaped}"'}
