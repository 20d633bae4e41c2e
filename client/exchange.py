"""From a request to its result: sent again while that is safe and of use, then read as what was expected."""

import json
from collections.abc import AsyncGenerator, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from client import errors
from client.retrying import pause_before_next
from client.wire import Answer, Request, Service

M = TypeVar("M", bound=BaseModel)


PAGE = 100  #: items asked for at a time
AWAY_S = 300.0  #: how long a service that was there may be away before whoever watches or waits gives up


async def exchange(service: Service, request: Request) -> Answer:
    """A successful answer. Raises `SagaError`."""
    number = 1
    while True:
        found = await service.send(request)
        if isinstance(found, Answer) and found.is_success:
            return found
        pause_s = pause_before_next(request, found, number, service.retries, service.chance())
        if pause_s is None:
            raise errors.failed(request, found, service.url)
        await service.sleep(pause_s)
        number += 1


def read(service: Service, model: type[M], answer: Answer) -> M:
    """The answer's body as this model; raises `UnexpectedAnswer`."""
    return shaped(service, model, parsed(service, answer))


def parsed(service: Service, answer: Answer) -> dict[str, Any]:
    """The answer's body, a JSON object."""
    try:
        found = json.loads(answer.body)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise _not_a_saga_service(service)
    return found


def items_of(service: Service, page: dict[str, Any]) -> list[Any]:
    """The items of a list."""
    items = page.get("items")
    if not isinstance(items, list):
        raise _not_a_saga_service(service)
    return items


def _not_a_saga_service(service: Service) -> errors.UnexpectedAnswer:
    return errors.UnexpectedAnswer(f"What answers at {service.url} is not a saga service. Is this the right URL?")


def shaped(service: Service, model: type[M], value: Any) -> M:
    """A part of an answer as this model."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        one = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, one["loc"]))
        raise errors.UnexpectedAnswer(
            f"The answer of the service at {service.url} does not fit {model.__name__} ({where}: {one['msg']}). "
            "Service, client and definition may be of different versions."
        ) from error


async def pages(
    service: Service, path: str, query: Mapping[str, str], model: type[M], limit: int | None
) -> AsyncGenerator[M, None]:
    """The items of a list, newest first, page by page."""
    cursor: Mapping[str, str] = {}
    left = limit
    while left is None or left > 0:
        size = PAGE if left is None else min(left, PAGE)
        request = Request("GET", path, {**query, "limit": str(size), **cursor})
        page = parsed(service, await exchange(service, request))
        items = items_of(service, page)
        for item in items:
            yield shaped(service, model, item)
        left = None if left is None else left - len(items)
        if not page.get("next"):
            return
        cursor = {"cursor": page["next"]}
