"""Looking at sagas and at the service, once for both clients: lists, history, transitions, definitions, readiness."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import datetime
from typing import Any, overload
from urllib.parse import quote

from client.addressing import instance_of, name_of, saga_path
from client.exchange import AWAY_S, exchange, items_of, pages, parsed, read, shaped
from client.models import History, Json, SagaInstance, Status, Transition
from client.models_operating import Definition, DefinitionSummary, Readiness
from client.watching import watching
from client.wire import Lost, Request, Service
from sagas import Saga
from sagas.definition import DataT, InputT


@overload
def find(
    service: Service,
    *,
    saga: str | None = None,
    status: Status | str | None = None,
    since: datetime | None = None,
    q: str | None = None,
    limit: int | None = None,
) -> AsyncGenerator[SagaInstance[Json], None]: ...
@overload
def find(
    service: Service,
    *,
    saga: Saga[InputT, DataT],
    status: Status | str | None = None,
    since: datetime | None = None,
    q: str | None = None,
    limit: int | None = None,
) -> AsyncGenerator[SagaInstance[DataT], None]: ...
async def find(
    service: Service,
    *,
    saga: Saga | str | None = None,
    status: Status | str | None = None,
    since: datetime | None = None,
    q: str | None = None,
    limit: int | None = None,
) -> AsyncGenerator[SagaInstance[Any], None]:
    """Sagas, newest first, read page by page as they are wanted. `q` is what the id begins with."""
    more = {"since": since.isoformat()} if since else {}
    query = {**_filters(saga, status), **more, **({"q": q} if q else {})}
    async with aclosing(pages(service, "/v1/sagas", query, instance_of(saga), limit)) as items:
        async for item in items:
            yield item


async def history(service: Service, saga_id: str, *, revision: int | None = None) -> History:
    """How a saga came to what it is; with `revision` also what it was then. Raises `NotFound`."""
    query = {} if revision is None else {"revision": str(revision)}
    return read(service, History, (await exchange(service, Request("GET", f"{saga_path(saga_id)}/history", query))))


@overload
def watch(
    service: Service, saga_id: str, *, after: str | None = None, away_s: float = AWAY_S
) -> AsyncGenerator[Transition, None]: ...
@overload
def watch(
    service: Service,
    *,
    saga: Saga | str | None = None,
    status: Status | str | None = None,
    after: str | None = None,
    away_s: float = AWAY_S,
) -> AsyncGenerator[Transition, None]: ...
async def watch(
    service: Service,
    saga_id: str | None = None,
    *,
    saga: Saga | str | None = None,
    status: Status | str | None = None,
    after: str | None = None,
    away_s: float = AWAY_S,
) -> AsyncGenerator[Transition, None]:
    """Transitions as they happen: of one saga from its first to its end, or of all, maybe only some, from now on.

    Connections that break are made again, and go on where they broke off: nothing is missed or told twice. `after` is
    the `position` of a transition seen before. Raises `EventsMissed` where the service can't go on from there,
    `Unavailable` where it is away for longer than `away_s`, `NotFound`.
    """
    if saga_id is None:
        request = Request("GET", "/v1/sagas/events", _filters(saga, status))
    else:
        request = Request("GET", f"{saga_path(saga_id)}/events")
    async with aclosing(watching(service, request, after, away_s)) as transitions:
        async for transition in transitions:
            yield transition


async def definitions(service: Service) -> list[DefinitionSummary]:
    """Every version of every definition that the service knows."""
    items = items_of(service, parsed(service, await exchange(service, Request("GET", "/v1/definitions"))))
    return [shaped(service, DefinitionSummary, item) for item in items]


async def definition(service: Service, name: str, *, version: int | None = None) -> Definition:
    """One definition, in its newest version unless another is asked for. Raises `NotFound`."""
    query = {} if version is None else {"version": str(version)}
    request = Request("GET", f"/v1/definitions/{quote(name, safe='')}", query)
    return read(service, Definition, (await exchange(service, request)))


async def readiness(service: Service) -> Readiness:
    """Whether the service and all it needs works. Asks once and never raises for a service that is away."""
    found = await service.send(Request("GET", "/readyz", {"verbose": ""}))
    if isinstance(found, Lost):
        return Readiness(ready=False, checks={"service": f"no answer from {service.url} ({found.reason})"})
    return Readiness(ready=found.status == 200, checks=parsed(service, found).get("checks") or {})


def _filters(saga: Saga | str | None, status: Status | str | None) -> dict[str, str]:
    """Which sagas, as a query."""
    asked = {"saga": name_of(saga), "status": status and str(status)}
    return {name: value for name, value in asked.items() if value}
