"""The load over HTTP: in batches, or a request for each saga.

A batch costs two requests, however many sagas are in it: one that starts it, one that waits for its last saga.
"""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from typing import Any

import httpx

from cli.bench.plan import Order
from cli.failure import Exit, Failure
from client.addressing import authorization

_WAIT_S = 20  #: how long one request waits for an end; below what the service allows
_GIVE_UP_S = 60.0  #: without an answer, or an end, for so long
_BUSY = (429, 503)
_ENDED = ("completed", "compensated", "stuck")


@asynccontextmanager
async def connections(url: str, key: str | None, count: int) -> AsyncIterator[list[httpx.AsyncClient]]:
    """Clients of the service, with one connection each: in one client's pool hundreds would look at each other."""
    context = ssl.create_default_context()  # One for all: making it takes longer than a request.
    headers = authorization(key)
    async with AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(
                httpx.AsyncClient(
                    base_url=url,
                    headers=headers,
                    limits=httpx.Limits(max_connections=1),
                    timeout=_GIVE_UP_S,
                    trust_env=False,
                    verify=context,
                )
            )
            for _ in range(count)
        ]


class _Service:
    """What both have in common."""

    def __init__(self, idle: list[httpx.AsyncClient]) -> None:
        self._idle = idle  #: as many as there are lanes

    @contextmanager
    def _lane(self) -> Iterator["_Lane"]:
        client = self._idle.pop()
        try:
            yield _Lane(client)
        finally:
            self._idle.append(client)


class _Lane:
    """One connection."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def call(self, method: str, path: str, **options: Any) -> Any:
        """The answer's body. Sent again while the service is busy: every saga has its id, so nothing starts twice."""
        end = time.monotonic() + _GIVE_UP_S
        while True:
            try:
                answer = await self._client.request(method, path, **options)
            except httpx.HTTPError as error:
                raise Failure(f"The connection to {self._client.base_url} broke off: {type(error).__name__}") from error
            if answer.is_success:
                return answer.json()
            if answer.status_code not in _BUSY or time.monotonic() > end:
                raise Failure(f"The service answered {answer.status_code}: {answer.text[:300]}", _code(answer))
            await asyncio.sleep(float(answer.headers.get("Retry-After", 1)))

    async def ended(self, saga_id: str) -> None:
        """Wait for the saga's end."""
        end = time.monotonic() + _GIVE_UP_S
        while (await self.call("GET", f"/v1/sagas/{saga_id}", headers=_waiting()))["status"] not in _ENDED:
            if time.monotonic() > end:
                raise Failure(f"The saga {saga_id} does not end: `saga show {saga_id}` says why.", Exit.TIMEOUT)


class InBatches(_Service):
    """`POST /v1/sagas:batch`."""

    def __init__(self, idle: list[httpx.AsyncClient], group: int) -> None:
        super().__init__(idle)
        self.group = group

    async def run(self, orders: Sequence[Order]) -> None:
        with self._lane() as lane:
            answer = await lane.call("POST", "/v1/sagas:batch", json={"sagas": [order.body for order in orders]})
            refused = [result for result in answer["results"] if "id" not in result]
            if refused:
                raise Failure(f"The service refused an order: {refused[0].get('detail', refused[0])}")
            await lane.ended(orders[-1].id)


class OneByOne(_Service):
    """`POST /v1/sagas` for each saga; the answer comes when it has ended."""

    group = 1

    def __init__(self, idle: list[httpx.AsyncClient]) -> None:
        super().__init__(idle)
        self.answered_ms: list[float] = []  #: from sending the request to the answer that it has ended

    async def run(self, orders: Sequence[Order]) -> None:
        with self._lane() as lane:
            for order in orders:
                begun = time.monotonic()
                saga = await lane.call("POST", "/v1/sagas", json=order.body, headers=_waiting())
                if saga["status"] not in _ENDED:
                    await lane.ended(order.id)
                self.answered_ms.append((time.monotonic() - begun) * 1_000)


def _waiting() -> dict[str, str]:
    return {"Prefer": f"wait={_WAIT_S}"}


def _code(answer: httpx.Response) -> Exit:
    return Exit.NOT_FOUND if answer.status_code == 404 else Exit.OTHER
