"""The FastAPI application: routes, the guard around them, and what errors become."""

from collections.abc import Sequence
from typing import Any

import structlog
from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.telemetry import TelemetryConfig
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Route

from adapters.errors import Unavailable
from orchestrator.api.access import Door, allowed, check_table
from orchestrator.api.dead_letters import DeadLetterRoutes
from orchestrator.api.definitions import DefinitionRoutes
from orchestrator.api.documents import DocumentRoutes
from orchestrator.api.events import EventRoutes
from orchestrator.api.guard import Guard
from orchestrator.api.health import HealthRoutes
from orchestrator.api.history import HistoryRoutes
from orchestrator.api.metrics import Counted, MetricsRoutes
from orchestrator.api.openapi import describe
from orchestrator.api.operating import OperatorRoutes
from orchestrator.api.problems import Fault, Kind, Problem, invalid, pointer, retry_later
from orchestrator.api.sagas import SagaRoutes
from orchestrator.api.services import Services
from orchestrator.api.throttle import Throttle
from orchestrator.api.tracing import Traced
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
_BY_STATUS = {404: Kind.NOT_FOUND, 405: Kind.METHOD_NOT_ALLOWED}


def create_application(services: Services) -> FastAPI:
    """An application over the services. It starts and stops nothing."""
    # FastAPI's own pages of documentation load from the network, and a redirect would lose a body.
    app = FastAPI(
        title="Saga orchestrator",
        version="1",
        description=_DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        telemetry=_NO_TELEMETRY,
    )
    made = routers(services)
    for router in made:
        app.include_router(router)
    app.router.routes[:0] = SagaRoutes(services).direct()
    check_table(served(app, made))
    throttle, clock = Throttle(services.rates), services.engine.clock
    app.add_middleware(Door, keys=services.keys, auditor=services.auditor, throttle=throttle, clock=clock)
    app.add_middleware(Guard, limits=services.limits, new_id=services.new_id)
    # Around the guard: what that refuses counts too.
    app.add_middleware(Counted, recorder=services.metrics.recorder, logged=services.access_log)
    app.add_middleware(Traced, tracer=services.tracer)
    for error, handler in _HANDLERS.items():
        app.add_exception_handler(error, handler)
    definitions = services.engine.definitions
    document: dict[str, Any] = {}

    def openapi() -> dict[str, Any]:
        if not document:
            document.update(describe(app, definitions, max_batch=services.max_batch, with_keys=services.keys.required))
        return document

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way to extend the document.
    return app


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


async def _problem(_request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return error.response()


async def _unavailable(request: Request, error: Exception) -> Response:
    log.warning("request-unavailable", method=request.method, path=request.url.path, reason=str(error))
    starts = request.method == "POST" and request.url.path in ("/v1/sagas", "/v1/sagas:batch")
    detail = _START_UNKNOWN if starts else _NOT_KNOWN if request.method in ("POST", "DELETE") else _NOTHING_LOST
    return retry_later(Kind.UNAVAILABLE, detail, RETRY_UNAVAILABLE_S).response()


async def _overloaded(_request: Request, error: Exception) -> Response:
    assert isinstance(error, Overloaded)
    detail = f"Nothing has been started: {error}. Come back later."
    return retry_later(Kind.OVERLOADED, detail, error.retry_after_s).response()


async def _invalid(_request: Request, error: Exception) -> Response:
    """Query parameters; bodies are checked elsewhere."""
    assert isinstance(error, RequestValidationError)
    return invalid("query", [Fault(pointer(one["loc"][1:]), one["msg"]) for one in error.errors()]).response()


async def _http(request: Request, error: Exception) -> Response:
    """What Starlette itself answers: unknown paths and methods."""
    assert isinstance(error, HTTPException)
    kind = _BY_STATUS.get(error.status_code, Kind.BAD_REQUEST)
    # Starlette's own `Allow` has the methods of the first route only where several share a path.
    headers = {"Allow": ", ".join(allowed(request.scope))} if kind is Kind.METHOD_NOT_ALLOWED else error.headers
    return Problem(kind, f"{kind.title}.", headers=headers).response()


_HANDLERS = {
    Problem: _problem,
    Unavailable: _unavailable,
    Overloaded: _overloaded,
    RequestValidationError: _invalid,
    HTTPException: _http,
}
