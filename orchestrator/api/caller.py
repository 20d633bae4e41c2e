"""Who is asking, as the layers around the routes have found out; the routes read it here."""

from typing import Any

from starlette.requests import HTTPConnection
from starlette.types import Scope

_RATE_HEADERS = {"RateLimit": "rate", "RateLimit-Policy": "rate_policy"}

PROBES = frozenset({"/livez", "/readyz", "/metrics"})  #: asked all the time, by machines

NOBODY = ""  #: the caller, where nobody has to say who they are


def caller_of(request: HTTPConnection) -> str:
    """The name of the caller's key."""
    return found(request.scope, "caller") or NOBODY


def request_id_of(request: HTTPConnection) -> str | None:
    """The id that the answer carries as `X-Request-Id`."""
    return found(request.scope, "request_id")


def rate_of(scope: Scope) -> dict[str, str]:
    """The headers that say how often one may ask; none where that is not limited."""
    state = _state(scope)
    return {name: state[key] for name, key in _RATE_HEADERS.items() if key in state}


def note(scope: Scope, **facts: str) -> None:
    """Remember `caller`, `request_id`, `traceparent`, `rate` or `rate_policy` for the routes and the answer."""
    scope["state"] = {**_state(scope), **facts}


def found(scope: Scope, name: str) -> str | None:
    """What was noted under that name."""
    fact: str | None = _state(scope).get(name)
    return fact


def _state(scope: Scope) -> dict[str, Any]:
    return dict(scope.get("state", {}))
