"""Who is asking, as the layers around the routes have found out; the routes read it here."""

from typing import Any

from starlette.requests import HTTPConnection
from starlette.types import Scope

NOBODY = ""  #: the caller, where nobody has to say who they are


def caller_of(request: HTTPConnection) -> str:
    """The name of the caller's key."""
    return str(_state(request.scope).get("caller", NOBODY))


def request_id_of(request: HTTPConnection) -> str | None:
    """The id that the answer carries as `X-Request-Id`."""
    found: str | None = _state(request.scope).get("request_id")
    return found


def note(scope: Scope, **found: str) -> None:
    """Remember `caller` or `request_id` for the routes."""
    scope["state"] = {**_state(scope), **found}


def _state(scope: Scope) -> dict[str, Any]:
    return dict(scope.get("state", {}))
