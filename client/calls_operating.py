"""What a person may do with sagas and dead letters, once for both clients.

None of it is sent again where its answer was lost: the first one may have been done, and things may be different now.
With `revision` it is done only while the saga is at that very revision.
"""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any
from urllib.parse import quote

from client.addressing import saga_path
from client.errors import AnswerLost, NotFound
from client.exchange import exchange, pages, read
from client.models import SagaInstance
from client.models_operating import DeadLetter
from client.wire import Request, Service

_LETTERS = "/v1/dead-letters"


async def cancel(service: Service, saga_id: str, *, reason: str = "", revision: int | None = None) -> SagaInstance:
    """Have a running saga undone, as long as its point of no return is not passed. Raises `Conflict`, `NotFound`."""
    return await _act(service, "cancel", saga_id, {"reason": reason}, revision)


async def retry(service: Service, saga_id: str, *, reason: str = "", revision: int | None = None) -> SagaInstance:
    """Give a stuck saga fresh attempts, in the direction in which it went. Raises `Conflict`, `NotFound`."""
    return await _act(service, "retry", saga_id, {"reason": reason}, revision)


async def skip(
    service: Service,
    saga_id: str,
    *,
    reason: str,
    data: Mapping[str, Any] | None = None,
    revision: int | None = None,
) -> SagaInstance:
    """Count the step at which a saga is stuck as done by hand; `data` are the reply's fields that later steps need.

    Raises `Conflict`, `NotFound`, `InvalidRequest` where later steps need more than `data` has.
    """
    body = {"reason": reason} | ({"data": dict(data)} if data else {})
    return await _act(service, "skip", saga_id, body, revision)


async def abort(service: Service, saga_id: str, *, reason: str = "", revision: int | None = None) -> SagaInstance:
    """Have a stuck saga undone, as long as its point of no return is not passed. Raises `Conflict`, `NotFound`."""
    return await _act(service, "abort", saga_id, {"reason": reason}, revision)


async def dead_letters(service: Service, *, limit: int | None = None) -> AsyncGenerator[DeadLetter, None]:
    """Messages that could not be handled, newest first, read page by page as they are wanted."""
    async with aclosing(pages(service, _LETTERS, {}, DeadLetter, limit)) as items:
        async for item in items:
            yield item


async def dead_letter(service: Service, letter_id: str) -> DeadLetter:
    """One dead letter, with what was in the message. Raises `NotFound`."""
    return read(service, DeadLetter, (await exchange(service, Request("GET", _letter(letter_id)))))


async def redrive(service: Service, letter_id: str, *, again: bool = False) -> DeadLetter:
    """Give the message another try; with `again` also one that was redriven before. Raises `Conflict`."""
    query = {"again": "true"} if again else {}
    request = Request("POST", f"{_letter(letter_id)}/redrive", query, repeatable=False)
    return read(service, DeadLetter, (await exchange(service, request)))


async def delete_dead_letter(service: Service, letter_id: str) -> None:
    """Remove a dead letter for good. Raises `NotFound`."""
    request = Request("DELETE", _letter(letter_id), repeatable=False)
    try:
        await exchange(service, request)
    except AnswerLost:
        # Whether it is gone can be asked: this is all that was wanted.
        try:
            await exchange(service, Request("GET", _letter(letter_id)))
        except NotFound:
            return
        await exchange(service, request)


async def _act(
    service: Service, action: str, saga_id: str, body: Mapping[str, Any], revision: int | None
) -> SagaInstance:
    headers = {} if revision is None else {"If-Match": f'"{revision}"'}
    request = Request("POST", f"{saga_path(saga_id)}/{action}", body=body, headers=headers, repeatable=False)
    return read(service, SagaInstance, (await exchange(service, request)))


def _letter(letter_id: str) -> str:
    return f"{_LETTERS}/{quote(letter_id, safe='')}"
