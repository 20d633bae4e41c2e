"""Starting sagas and waiting for them, once for both clients: what is sent, and what its answer means.

Starting is safe to repeat because each start has an id: one is made here where the caller gives none.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, overload

from pydantic import BaseModel

from client.addressing import instance_of, key_header, name_of, saga_path
from client.errors import NotEnded, Problem, Unavailable, UnexpectedAnswer, problem_of
from client.exchange import AWAY_S, exchange, parsed, read, shaped
from client.models import Json, SagaInstance
from client.wire import Answer, Request, Service
from sagas import Saga
from sagas.definition import DataT, InputT

WAIT_S = 5.0  #: how long the service waits for an end at a time; so late, a saga is seen to be stuck
EARLY_S = 0.5  #: the pause where the service did not wait as long as it was asked to

Input = BaseModel | Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """One of many sagas to start."""

    saga: str | Saga
    data: Input
    id: str | None = None


@overload
async def start(
    service: Service,
    saga: Saga[InputT, DataT],
    data: InputT,
    *,
    id: str | None = None,
    key: str | None = None,
    wait_s: float = 0.0,
) -> SagaInstance[DataT]: ...
@overload
async def start(
    service: Service,
    saga: str,
    data: Mapping[str, Any],
    *,
    id: str | None = None,
    key: str | None = None,
    wait_s: float = 0.0,
) -> SagaInstance[Json]: ...
async def start(
    service: Service,
    saga: Saga | str,
    data: Input,
    *,
    id: str | None = None,
    key: str | None = None,
    wait_s: float = 0.0,
) -> SagaInstance[Any]:
    """Start a saga; it is stored for good when this returns, with `wait_s` also ended, unless the time is over first.

    The same `id`, or the same `key`, with the same data starts one saga, however often it is asked for.
    Raises `InvalidRequest`, `Conflict` (another saga has the id), `AccessDenied`, `Unavailable`, `AnswerLost`.
    """
    end_s = service.now_s() + wait_s
    body = _start_body(saga, data, id or (None if key else service.new_id()))
    request = Request("POST", "/v1/sagas", body=body, headers=key_header(key))
    answer = await _started(service, _waiting(request, wait_s), [body])
    found = read(service, instance_of(saga), answer)
    try:
        return await _settled(service, found, instance_of(saga), end_s)
    except Unavailable:
        return found  # It is started: that is not undone by nobody being there to tell of its end.


async def start_many(
    service: Service, starts: Sequence[Start], *, key: str | None = None
) -> list[SagaInstance[Any] | Problem]:
    """Start up to 1,000 sagas in one request; one result each, in their order: the saga, or why it was not started.

    With a `key` the same list starts its sagas once; else each has an id, made here where none is given.
    """
    bodies = [_start_body(one.saga, one.data, one.id or (None if key else service.new_id())) for one in starts]
    request = Request("POST", "/v1/sagas:batch", body={"sagas": bodies}, headers=key_header(key))
    answer = await _started(service, request, bodies)
    results = parsed(service, answer).get("results")
    if not isinstance(results, list) or len(results) != len(starts):
        raise UnexpectedAnswer(f"The service at {service.url} did not answer with one result for each start.")
    return [_result(service, one, result) for one, result in zip(starts, results, strict=True)]


@overload
async def get(service: Service, saga_id: str) -> SagaInstance[Json]: ...
@overload
async def get(service: Service, saga_id: str, saga: Saga[InputT, DataT]) -> SagaInstance[DataT]: ...
async def get(service: Service, saga_id: str, saga: Saga | None = None) -> SagaInstance[Any]:
    """One saga; with its definition its `data` is typed. Raises `NotFound`."""
    answer = await exchange(service, Request("GET", saga_path(saga_id)))
    return read(service, instance_of(saga), answer)


@overload
async def wait(service: Service, saga_id: str, *, timeout_s: float) -> SagaInstance[Json]: ...
@overload
async def wait(
    service: Service, saga_id: str, saga: Saga[InputT, DataT], *, timeout_s: float
) -> SagaInstance[DataT]: ...
async def wait(service: Service, saga_id: str, saga: Saga | None = None, *, timeout_s: float) -> SagaInstance[Any]:
    """The saga when it has ended, or is stuck. Raises `NotEnded` where that takes longer, `NotFound`.

    A service that restarts meanwhile is waited for, up to five minutes; then it is `Unavailable`.
    """
    end_s = service.now_s() + timeout_s
    answer = await exchange(service, Request("GET", saga_path(saga_id)))
    found = await _settled(service, read(service, instance_of(saga), answer), instance_of(saga), end_s)
    if not found.settled:
        raise NotEnded(found, timeout_s)
    return found


async def _started(service: Service, request: Request, bodies: Sequence[Json]) -> Answer:
    """The answer to a start. Where there is none, the error says with which ids to ask again."""
    try:
        return await exchange(service, request)
    except Unavailable as error:
        error.ids = tuple(body["id"] for body in bodies if "id" in body)
        raise


async def _settled(
    service: Service, found: SagaInstance[Any], model: type[SagaInstance[Any]], end_s: float
) -> SagaInstance[Any]:
    """The saga when it has ended or is stuck, or as it was seen last when the time is over."""
    heard_at_s = service.now_s()
    while not found.settled and (left_s := end_s - (asked_at_s := service.now_s())) > 0:
        request = _waiting(Request("GET", saga_path(found.id)), left_s)
        try:
            found = read(service, model, await exchange(service, request))
        except Unavailable:  # A restart, maybe: the saga goes on, and so does whoever waits for it.
            if service.now_s() - heard_at_s >= AWAY_S:
                raise
            await service.sleep(min(left_s, EARLY_S))
            continue
        heard_at_s = service.now_s()
        if not found.settled and service.now_s() - asked_at_s < request.wait_s / 2:
            await service.sleep(min(left_s, EARLY_S))  # A service that is about to end does not wait.
    return found


def _waiting(request: Request, wait_s: float) -> Request:
    """The same request, which waits for the saga's end for that long, or for as long as is waited at a time."""
    wait_s = min(wait_s, WAIT_S)
    if wait_s <= 0:
        return request
    prefer = f"wait={wait_s:.3f}".rstrip("0").rstrip(".")
    return replace(request, headers={**request.headers, "Prefer": prefer}, wait_s=wait_s)


def _start_body(saga: Saga | str, data: Input, saga_id: str | None) -> Json:
    sent = data.model_dump(mode="json", by_alias=False, exclude_unset=True) if isinstance(data, BaseModel) else data
    return {"saga": name_of(saga), "data": dict(sent)} | ({"id": saga_id} if saga_id else {})


def _result(service: Service, one: Start, result: Any) -> SagaInstance[Any] | Problem:
    if isinstance(result, dict) and isinstance(result.get("status"), int):  # A saga's status is a word.
        return problem_of(result, result["status"])
    return shaped(service, instance_of(one.saga), result)
