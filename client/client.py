"""`SagaClient` and `SyncSagaClient`: the same calls, awaited or blocking. Each call is written, and typed, once."""

from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from contextlib import aclosing
from functools import wraps
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

import httpx

from client import calls, calls_looking, calls_operating
from client.http import TIMEOUT_S, Blocking, Waiting, options
from client.surroundings import Surroundings
from client.wire import Retries, Service, finished

P = ParamSpec("P")
T = TypeVar("T")

_Call = Callable[Concatenate[Service, P], Coroutine[Any, Any, T]]
_Flow = Callable[Concatenate[Service, P], AsyncGenerator[T, None]]


def _awaited(call: _Call[P, T]) -> "Callable[Concatenate[SagaClient, P], Coroutine[Any, Any, T]]":
    @wraps(call)
    async def method(client: "SagaClient", /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await call(client.service, *args, **kwargs)

    return method


def _iterated(flow: _Flow[P, T]) -> "Callable[Concatenate[SagaClient, P], AsyncGenerator[T, None]]":
    @wraps(flow)
    async def method(client: "SagaClient", /, *args: P.args, **kwargs: P.kwargs) -> AsyncGenerator[T, None]:
        async with aclosing(flow(client.service, *args, **kwargs)) as items:
            async for item in items:
                yield item

    return method


def _awaited_here(call: _Call[P, T]) -> "Callable[Concatenate[SyncSagaClient, P], T]":
    @wraps(call)
    def method(client: "SyncSagaClient", /, *args: P.args, **kwargs: P.kwargs) -> T:
        return finished(call(client.service, *args, **kwargs))

    return method


def _iterated_here(flow: _Flow[P, T]) -> "Callable[Concatenate[SyncSagaClient, P], Generator[T, None, None]]":
    @wraps(flow)
    def method(client: "SyncSagaClient", /, *args: P.args, **kwargs: P.kwargs) -> Generator[T, None, None]:
        items = flow(client.service, *args, **kwargs)
        try:
            while True:
                try:
                    item = finished(_next(items))
                except StopAsyncIteration:
                    return
                yield item
        finally:
            finished(items.aclose())

    return method


async def _next(items: AsyncGenerator[T, None]) -> T:
    return await anext(items)


class SagaClient:
    """A saga service, for programs with an event loop. Use it in an `async with`, or `await` its `close`."""

    def __init__(
        self,
        url: str,
        *,
        key: str | None = None,
        timeout_s: float = TIMEOUT_S,
        retries: Retries | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        surroundings: Surroundings | None = None,
    ) -> None:
        """`key` is an API key; `timeout_s` is for one answer, besides what the service is asked to wait.

        `transport` is httpx's: for a proxy, a certificate of your own, or a test.
        """
        self.url = url.rstrip("/")
        self._http = httpx.AsyncClient(transport=transport, **options(self.url, key))
        self.service = Waiting(
            url=self.url,
            retries=retries or Retries(),
            timeout_s=timeout_s,
            surroundings=surroundings or Surroundings(),
            http=self._http,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close its connections."""
        await self._http.aclose()

    start = _awaited(calls.start)
    start_many = _awaited(calls.start_many)
    get = _awaited(calls.get)
    wait = _awaited(calls.wait)
    find = _iterated(calls_looking.find)
    history = _awaited(calls_looking.history)
    watch = _iterated(calls_looking.watch)
    definitions = _awaited(calls_looking.definitions)
    definition = _awaited(calls_looking.definition)
    readiness = _awaited(calls_looking.readiness)
    cancel = _awaited(calls_operating.cancel)
    retry = _awaited(calls_operating.retry)
    skip = _awaited(calls_operating.skip)
    abort = _awaited(calls_operating.abort)
    dead_letters = _iterated(calls_operating.dead_letters)
    dead_letter = _awaited(calls_operating.dead_letter)
    redrive = _awaited(calls_operating.redrive)
    delete_dead_letter = _awaited(calls_operating.delete_dead_letter)


class SyncSagaClient:
    """A saga service, for programs that block. Use it in a `with`, or call its `close`."""

    def __init__(
        self,
        url: str,
        *,
        key: str | None = None,
        timeout_s: float = TIMEOUT_S,
        retries: Retries | None = None,
        transport: httpx.BaseTransport | None = None,
        surroundings: Surroundings | None = None,
    ) -> None:
        """As `SagaClient`."""
        self.url = url.rstrip("/")
        self._http = httpx.Client(transport=transport, **options(self.url, key))
        self.service = Blocking(
            url=self.url,
            retries=retries or Retries(),
            timeout_s=timeout_s,
            surroundings=surroundings or Surroundings(),
            http=self._http,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close its connections."""
        self._http.close()

    start = _awaited_here(calls.start)
    start_many = _awaited_here(calls.start_many)
    get = _awaited_here(calls.get)
    wait = _awaited_here(calls.wait)
    find = _iterated_here(calls_looking.find)
    history = _awaited_here(calls_looking.history)
    watch = _iterated_here(calls_looking.watch)
    definitions = _awaited_here(calls_looking.definitions)
    definition = _awaited_here(calls_looking.definition)
    readiness = _awaited_here(calls_looking.readiness)
    cancel = _awaited_here(calls_operating.cancel)
    retry = _awaited_here(calls_operating.retry)
    skip = _awaited_here(calls_operating.skip)
    abort = _awaited_here(calls_operating.abort)
    dead_letters = _iterated_here(calls_operating.dead_letters)
    dead_letter = _awaited_here(calls_operating.dead_letter)
    redrive = _awaited_here(calls_operating.redrive)
    delete_dead_letter = _awaited_here(calls_operating.delete_dead_letter)
