"""A saga service over httpx, as the two clients need it: one really waits, the other blocks.

This is all that is written twice, because httpx is two.
"""

import re
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from client.addressing import authorization
from client.surroundings import Surroundings
from client.wire import Answer, Lost, Request, Retries

TIMEOUT_S = 30.0

#: What httpx raises before anything of the request was sent.
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)
_FAULTS = (httpx.HTTPError, httpx.StreamError)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Http:
    """What both kinds have in common."""

    url: str
    retries: Retries
    timeout_s: float
    surroundings: Surroundings

    def now_s(self) -> float:
        return self.surroundings.now_s()

    def chance(self) -> float:
        return self.surroundings.chance()

    def new_id(self) -> str:
        return self.surroundings.new_id()

    def arguments(self, request: Request, silence_s: float | None = None) -> dict[str, Any]:
        """What httpx is told for this request."""
        read_s = self.timeout_s + request.wait_s if silence_s is None else silence_s
        return {
            "method": request.method,
            "url": request.path,
            "params": dict(request.query),
            "json": request.body,
            "headers": dict(request.headers),
            "timeout": httpx.Timeout(self.timeout_s, read=read_s),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting(_Http):
    """For the async client."""

    http: httpx.AsyncClient

    async def send(self, request: Request) -> Answer | Lost:
        try:
            response = await self.http.request(**self.arguments(request))
        except _FAULTS as error:
            return _lost(error)
        return _answer(response, response.content)

    @asynccontextmanager
    async def open(self, request: Request, silence_s: float) -> AsyncIterator["WaitingStream"]:
        async with AsyncExitStack() as opened:
            yield await self._opened(opened, self.arguments(request, silence_s))

    async def _opened(self, opened: AsyncExitStack, arguments: dict[str, Any]) -> "WaitingStream":
        try:
            response = await opened.enter_async_context(self.http.stream(**arguments))
            body = b"" if response.is_success else await response.aread()
        except _FAULTS as error:
            return WaitingStream(_lost(error))
        return WaitingStream(_answer(response, body), response.aiter_bytes())

    async def sleep(self, seconds: float) -> None:
        await self.surroundings.async_sleep(seconds)


@dataclass(frozen=True, slots=True)
class WaitingStream:
    """A body over an async client."""

    answer: Answer | Lost
    chunks: AsyncIterator[bytes] | None = None

    async def read(self) -> bytes | Lost:
        try:
            return b"" if self.chunks is None else await anext(self.chunks, b"")
        except _FAULTS as error:
            return _lost(error)


@dataclass(frozen=True, slots=True, kw_only=True)
class Blocking(_Http):
    """For the sync client: async in name only."""

    http: httpx.Client

    async def send(self, request: Request) -> Answer | Lost:
        try:
            response = self.http.request(**self.arguments(request))
        except _FAULTS as error:
            return _lost(error)
        return _answer(response, response.content)

    @asynccontextmanager
    async def open(self, request: Request, silence_s: float) -> AsyncIterator["BlockingStream"]:
        with ExitStack() as opened:
            yield self._opened(opened, self.arguments(request, silence_s))

    def _opened(self, opened: ExitStack, arguments: dict[str, Any]) -> "BlockingStream":
        try:
            response = opened.enter_context(self.http.stream(**arguments))
            body = b"" if response.is_success else response.read()
        except _FAULTS as error:
            return BlockingStream(_lost(error))
        return BlockingStream(_answer(response, body), response.iter_bytes())

    async def sleep(self, seconds: float) -> None:
        self.surroundings.sleep(seconds)


@dataclass(frozen=True, slots=True)
class BlockingStream:
    """A body over a sync client."""

    answer: Answer | Lost
    chunks: Iterator[bytes] | None = None

    async def read(self) -> bytes | Lost:
        try:
            return b"" if self.chunks is None else next(self.chunks, b"")
        except _FAULTS as error:
            return _lost(error)


def options(url: str, key: str | None) -> dict[str, Any]:
    """What an httpx client of this service is made with, and nothing of it from the environment; or `ValueError`."""
    if not re.match(r"https?://[^/]", url):
        raise ValueError(f"{url!r} is not a service's URL: write it like http://127.0.0.1:8700")
    headers = {"Accept": "application/json", **authorization(key)}
    try:
        return {"base_url": httpx.URL(url), "headers": headers, "trust_env": False}
    except httpx.InvalidURL as error:
        raise ValueError(f"{url!r} is not a service's URL: {error}") from None


def _answer(response: httpx.Response, body: bytes) -> Answer:
    return Answer(response.status_code, {name.lower(): value for name, value in response.headers.items()}, body)


def _lost(error: Exception) -> Lost:
    return Lost(str(error) or type(error).__name__, arrived=not isinstance(error, _NOT_SENT))
