"""The FastAPI application: its routes, and what errors become."""

from collections.abc import Sequence
from typing import Any

import structlog
from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from fastapi.telemetry import TelemetryConfig
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Scope

from adapters.errors import Unavailable
from orchestrator.api.access import allowed, check_table, path_of
from orchestrator.api.dead_letters import DeadLetterRoutes
from orchestrator.api.definitions import DefinitionRoutes
from orchestrator.api.documents import DocumentRoutes
from orchestrator.api.entrance import Entrance
from orchestrator.api.events import EventRoutes
from orchestrator.api.health import HealthRoutes
from orchestrator.api.history import HistoryRoutes
from orchestrator.api.metrics import MetricsRoutes
from orchestrator.api.openapi import describe
from orchestrator.api.operating import OperatorRoutes
from orchestrator.api.problems import Fault, Kind, Problem, invalid, pointer, retry_later
from orchestrator.api.sagas import SagaRoutes
from orchestrator.api.services import Services
from orchestrator.starting import Overloaded

log = structlog.get_logger(__name__)

RETRY_UNAVAILABLE_S = 2

_DESCRIPTION = (
    "Starts sagas and shows what becomes of them. Errors are problems (RFC 9457); `/problems` explains each of them. "
    "A saga's input may be spelt in camelCase too. Messages on the streams are described by `/asyncapi`."
)
_START_UNKNOWN = "Whether a new saga was stored is not known: send the same request again, with the same id or key."
_NOT_KNOWN = "A server does not answer, and whether this was done is not known: look at it, and then ask again."
_NOTHING_LOST = "A database does not answer. Nothing is lost; try again."

#: FastAPI's own would tell of each request a second time, and look at the environment each time
_NO_TELEMETRY: TelemetryConfig = {"tracing": False, "metrics": False, "logs": False}
#: asked so often that the entrance finds them
STARTS = frozenset({("POST", "/v1/sagas"), ("POST", "/v1/sagas:batch")})
_BY_STATUS = {404: Kind.NOT_FOUND, 405: Kind.METHOD_NOT_ALLOWED}


class Application(FastAPI):
    """FastAPI over the services, behind the entrance. It starts and stops nothing."""

    def __init__(self, services: Services) -> None:
        # FastAPI's own pages of documentation load from the network, and a redirect would lose a body.
        super().__init__(
            title="Saga orchestrator",
            version="1",
            description=_DESCRIPTION,
            docs_url=None,
            redoc_url=None,
            redirect_slashes=False,
            telemetry=_NO_TELEMETRY,
        )
        self._services = services
        self._document: dict[str, Any] = {}
        made = routers(services)
        for router in made:
            self.include_router(router)
        check_table(served(self, made))
        self._starts = _starts(made)
        for error in (Exception, HTTPException, RequestValidationError):
            self.add_exception_handler(error, _left_to_the_entrance)

    def build_middleware_stack(self) -> ASGIApp:
        return Entrance(super().build_middleware_stack(), self._services, self._starts, _judged)

    def openapi(self) -> dict[str, Any]:
        if not self._document:
            given = self._services
            definitions, keys = given.engine.definitions, given.keys.required
            self._document = describe(self, definitions, max_batch=given.max_batch, with_keys=keys)
        return self._document


def routers(services: Services) -> Sequence[APIRouter]:
    """Every route that is described in the document."""
    routes = (
        EventRoutes,  # First, because `events` is no saga's id.
        SagaRoutes,
        HistoryRoutes,
        OperatorRoutes,
        DefinitionRoutes,
        DeadLetterRoutes,
        HealthRoutes,
        MetricsRoutes,
        DocumentRoutes,
    )
    return [kind(services).router() for kind in routes]


def served(app: FastAPI, included: Sequence[APIRouter]) -> set[tuple[str, str]]:
    """Method and path of everything that is answered here, described or not."""
    own = [route for route in app.routes if isinstance(route, Route)]
    routes = [*own, *(route for router in included for route in router.routes if isinstance(route, Route))]
    return {(method, route.path) for route in routes for method in route.methods or ()} - {
        ("HEAD", route.path) for route in own
    }


def _starts(routers: Sequence[APIRouter]) -> dict[tuple[str, str], APIRoute]:
    routes = [route for router in routers for route in router.routes if isinstance(route, APIRoute)]
    found = {(method, route.path): route for route in routes for method in route.methods or ()}
    return {start: found[start] for start in STARTS}


async def _left_to_the_entrance(_request: Request, error: Exception) -> Response:
    raise error


def _judged(scope: Scope, error: Exception) -> Problem | None:
    """What a client is told of an error; None of one that nobody foresaw."""
    match error:
        case Problem():
            return error
        case Unavailable():
            return _unavailable(scope, error)
        case Overloaded():
            detail = f"Nothing has been started: {error}. Come back later."
            return retry_later(Kind.OVERLOADED, detail, error.retry_after_s)
        case RequestValidationError():  # Query parameters; bodies are checked elsewhere.
            return invalid("query", [Fault(pointer(one["loc"][1:]), one["msg"]) for one in error.errors()])
        case HTTPException():
            return _http(scope, error)
        case _:
            return None


def _unavailable(scope: Scope, error: Unavailable) -> Problem:
    method, path = scope["method"], scope["path"]
    log.warning("request-unavailable", method=method, path=path, reason=str(error))
    starts = (method, path_of(scope)) in STARTS
    detail = _START_UNKNOWN if starts else _NOT_KNOWN if method in ("POST", "DELETE") else _NOTHING_LOST
    return retry_later(Kind.UNAVAILABLE, detail, RETRY_UNAVAILABLE_S)


def _http(scope: Scope, error: HTTPException) -> Problem:
    """What Starlette itself answers: unknown paths and methods."""
    kind = _BY_STATUS.get(error.status_code, Kind.BAD_REQUEST)
    # Starlette's own `Allow` has the methods of the first route only where several share a path.
    headers = {"Allow": ", ".join(allowed(scope))} if kind is Kind.METHOD_NOT_ALLOWED else error.headers
    return Problem(kind, f"{kind.title}.", headers=headers)
