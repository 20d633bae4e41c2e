"""Both clients over one scripted network: what is sent, what comes back, and a clock that only their pauses move."""

import inspect
import json
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx

from client import Retries, SagaClient, Surroundings, SyncSagaClient

URL = "http://saga"

Step = Exception | Callable[[], httpx.Response]  #: each request gets an answer of its own


@dataclass
class Network:
    """Answers one after the other, the last for ever. An exception is raised instead: the answer that was lost."""

    steps: list[Step] = field(default_factory=list)
    requests: list[httpx.Request] = field(default_factory=list)
    pauses: list[float] = field(default_factory=list)
    time_s: float = 1_000.0
    answer_takes_s: float = 0.0

    def on(self, *steps: Step) -> "Network":
        """Answer with these next."""
        self.steps.extend(steps)
        return self

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        self.time_s += self.answer_takes_s
        step = self.steps.pop(0) if len(self.steps) > 1 else self.steps[0]
        if isinstance(step, Exception):
            raise step
        return step()

    @property
    def sent(self) -> list[tuple[str, str, Any]]:
        """Method, path with query, and JSON of every request."""
        return [
            (one.method, one.url.raw_path.decode(), json.loads(one.content) if one.content else None)
            for one in self.requests
        ]

    def surroundings(self) -> Surroundings:
        """A clock that only pauses move, no randomness, ids one after the other."""
        ids = (f"id-{number}" for number in range(1, 1_000))
        return Surroundings(
            now_s=lambda: self.time_s,
            chance=lambda: 0.0,
            new_id=lambda: next(ids),
            sleep=self._sleep,
            async_sleep=self._sleep_async,
        )

    def _sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.time_s += seconds

    async def _sleep_async(self, seconds: float) -> None:
        self._sleep(seconds)


class Either:
    """One of the two clients, called the same way."""

    def __init__(self, kind: type[SagaClient] | type[SyncSagaClient], network: Network, **given: Any) -> None:
        given = {"retries": Retries(first_s=1.0, longest_s=8.0)} | given
        transport: Any = httpx.MockTransport(network)
        self._client = kind(URL, transport=transport, surroundings=network.surroundings(), **given)

    async def ask(self, name: str, /, *args: Any, **kwargs: Any) -> Any:
        """The result of one method."""
        found = getattr(self._client, name)(*args, **kwargs)
        return await found if inspect.isawaitable(found) else found

    async def items(self, name: str, /, *args: Any, at_most: int | None = None, **kwargs: Any) -> list[Any]:
        """What one method's iterator tells."""
        found: list[Any] = []
        items = getattr(self._client, name)(*args, **kwargs)
        try:
            async for item in _each(items):
                found.append(item)
                if at_most is not None and len(found) >= at_most:
                    break
        finally:
            closed = items.aclose() if hasattr(items, "aclose") else items.close()
            if inspect.isawaitable(closed):
                await closed
        return found


async def _each(items: AsyncIterator[Any] | Iterator[Any]) -> AsyncIterator[Any]:
    if isinstance(items, AsyncIterator):
        async for item in items:
            yield item
    else:
        for item in items:
            yield item


def reply(status: int, **given: Any) -> Step:
    """Any answer, with httpx's own arguments."""
    return lambda: httpx.Response(status, **given)


def shown(value: Any, status: int = 200) -> Step:
    """An answer with JSON."""
    return reply(status, json=value)


def refused(slug: str, status: int, detail: str = "no", **more: Any) -> Step:
    """A problem, as the service answers it."""
    headers = {"Retry-After": more.pop("retry_after")} if "retry_after" in more else {}
    body = {"type": f"/problems/{slug}", "title": slug, "status": status, "detail": detail, **more}
    return reply(status, json=body, headers=headers)


class Pieces(httpx.AsyncByteStream, httpx.SyncByteStream):
    """A body that comes in pieces; an exception among them is the connection's end."""

    def __init__(self, *pieces: str | bytes | Exception) -> None:
        self._pieces = pieces

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._pieces:
            if isinstance(piece, Exception):
                raise piece
            yield piece.encode() if isinstance(piece, str) else piece

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self:
            yield piece


def events(*pieces: str | bytes | Exception) -> Step:
    """A stream of server-sent events."""
    return reply(200, headers={"Content-Type": "text/event-stream"}, stream=Pieces(*pieces))
