"""The load over HTTP: in batches, or a request for each saga.

A batch costs two requests, however many sagas are in it: one that starts it, one that waits for its last saga.
"""

import asyncio
import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from cli.bench.plan import Order
from cli.bench.wire import Answer, Broken, Service, Wire
from cli.failure import Exit, Failure
from client.addressing import authorization

_WAIT_S = 20  #: how long one request waits for an end; below what the service allows
_GIVE_UP_S = 60.0  #: without an answer, or an end, for so long
_BUSY = (429, 503)
_ENDED = ("completed", "compensated", "stuck")


class Lane:
    """One connection, and what is asked on it."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._wire = Wire(service)
        self._start = service.beginning("POST", "/v1/sagas")
        self._run = service.beginning("POST", "/v1/sagas", _WAIT_S)
        self._batch = service.beginning("POST", "/v1/sagas:batch")

    async def start(self, order: Order) -> None:
        """One saga, accepted."""
        await self._call(self._start, _written(order.body))

    async def run(self, order: Order) -> None:
        """One saga, to its end."""
        if (await self._call(self._run, _written(order.body))).status != 200:
            await self.ended(order.id)

    async def start_all(self, orders: Sequence[Order]) -> None:
        """A batch, accepted."""
        answer = await self._call(self._batch, _written({"sagas": [order.body for order in orders]}))
        refused = [result for result in json.loads(answer.body)["results"] if "id" not in result]
        if refused:
            raise Failure(f"The service refused an order: {refused[0].get('detail', refused[0])}")

    async def ended(self, saga_id: str) -> None:
        """Wait for the saga's end."""
        beginning = self._service.beginning("GET", f"/v1/sagas/{saga_id}", _WAIT_S)
        end = time.monotonic() + _GIVE_UP_S
        while json.loads((await self._call(beginning, b"")).body)["status"] not in _ENDED:
            if time.monotonic() > end:
                raise Failure(f"The saga {saga_id} does not end: `saga show {saga_id}` says why.", Exit.TIMEOUT)

    def close(self) -> None:
        """Give the connection back."""
        self._wire.close()

    async def _call(self, beginning: bytes, body: bytes) -> Answer:
        """Sent again while the service is busy: every saga has its id, so nothing starts twice."""
        end = time.monotonic() + _GIVE_UP_S
        while True:
            try:
                answer = await self._wire.ask(beginning, body, _GIVE_UP_S)
            except (Broken, TimeoutError) as error:
                raise Failure(
                    f"The connection to {self._service.url} broke off: {str(error) or 'no answer'}"
                ) from error
            if answer.status < 300:
                return answer
            if answer.status not in _BUSY or time.monotonic() > end:
                said = answer.body.decode(errors="replace")[:300]
                code = Exit.NOT_FOUND if answer.status == 404 else Exit.OTHER
                raise Failure(f"The service answered {answer.status}: {said}", code)
            await asyncio.sleep(float(answer.header("retry-after") or 1))


class Lanes:
    """Connections to one service, or in turns to several that share their databases: as many as are taken at once."""

    def __init__(self, urls: Sequence[str], key: str | None) -> None:
        self._services = [Service(url, authorization(key)) for url in urls]
        self._all: list[Lane] = []
        self._idle: list[Lane] = []

    @contextmanager
    def taken(self) -> Iterator[Lane]:
        """A lane that nobody else uses meanwhile."""
        lane = self._idle.pop() if self._idle else self._made()
        try:
            yield lane
        finally:
            self._idle.append(lane)

    def close(self) -> None:
        """Give all connections back."""
        for lane in self._all:
            lane.close()

    def _made(self) -> Lane:
        self._all.append(Lane(self._services[len(self._all) % len(self._services)]))
        return self._all[-1]


class InBatches:
    """`POST /v1/sagas:batch`."""

    def __init__(self, lanes: Lanes, group: int) -> None:
        self._lanes = lanes
        self.group = group

    async def run(self, orders: Sequence[Order]) -> None:
        """All to their end."""
        with self._lanes.taken() as lane:
            await lane.start_all(orders)
            await lane.ended(orders[-1].id)

    async def start(self, orders: Sequence[Order]) -> None:
        """All accepted."""
        with self._lanes.taken() as lane:
            await lane.start_all(orders)


class OneByOne:
    """`POST /v1/sagas` for each saga; the answer comes when it has ended."""

    group = 1

    def __init__(self, lanes: Lanes) -> None:
        self._lanes = lanes
        self.answered_ms: list[float] = []  #: from sending the request to the answer that it has ended

    async def run(self, orders: Sequence[Order]) -> None:
        """Each to its end."""
        with self._lanes.taken() as lane:
            for order in orders:
                begun = time.monotonic()
                await lane.run(order)
                self.answered_ms.append((time.monotonic() - begun) * 1_000)

    async def start(self, orders: Sequence[Order]) -> None:
        """Each accepted."""
        with self._lanes.taken() as lane:
            for order in orders:
                await lane.start(order)


def _written(body: Any) -> bytes:
    return json.dumps(body, separators=(",", ":")).encode()
