"""What is known of a request before a route sees it: who asks, in which trace. The routes read it here."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from starlette.requests import HTTPConnection
from starlette.types import Scope

from orchestrator.api.headers import Fields

PROBES = frozenset({"/livez", "/readyz", "/metrics"})  #: asked all the time, by machines

NOBODY = ""  #: the caller, where nobody has to say who they are


@dataclass(slots=True)
class Asked:
    """One request, as the entrance found it."""

    fields: Fields
    request_id: str  #: the answer carries it as `X-Request-Id`
    body: Callable[[], Awaitable[bytes]]  #: the whole of it, once; raises `Problem`
    caller: str = NOBODY  #: the name of the caller's key
    traceparent: str | None = None  #: what a saga that it starts belongs to: its own span, or else what the client sent
    rate: dict[str, str] = field(default_factory=dict)  #: headers that say how often one may ask


def note(scope: Scope, asked: Asked) -> None:
    """Remember it for the routes."""
    scope.setdefault("state", {})["asked"] = asked


def asked_of(request: HTTPConnection) -> Asked:
    """What was noted."""
    found: Asked = request.scope["state"]["asked"]
    return found
