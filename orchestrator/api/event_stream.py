"""An answer that goes on: server-sent events, until there are no more, or the client or the service has enough.

Whatever ends it, the listener's place is free at once.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping
from contextlib import aclosing, suppress
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from adapters.tasks import end
from orchestrator.api.problems import Kind, retry_later
from orchestrator.api.services import Services
from orchestrator.api.sse import MEDIA_TYPE
from orchestrator.listeners import Listener, TooManyListeners

FINISH_S = 1.0  #: how long a client that reads nothing is waited for at the end
RETRY_AFTER_S = 5
HEADERS: Mapping[str, str] = {
    "Content-Type": f"{MEDIA_TYPE}; charset=utf-8",
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",  # A proxy must pass each message on.
}

Messages = AsyncGenerator[bytes]


class EventStream(Response):
    """`messages` makes the blocks to send to a listener.

    The first one is awaited before the answer begins: what is raised until then is answered as a problem, and where
    there is none the answer is 204, which tells a browser not to come back.
    """

    media_type = MEDIA_TYPE

    def __init__(
        self, services: Services, messages: Callable[[Listener], Messages], max_s: float | None = None
    ) -> None:
        super().__init__(headers=HEADERS)
        self._services = services
        self._messages = messages
        self._max_s = max_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            place = self._services.listeners.admit()
            with place as listener:
                async with aclosing(self._messages(listener)) as messages:
                    await self._answer(scope, receive, send, listener, messages)
        except TooManyListeners:
            raise retry_later(Kind.OVERLOADED, "Too many listen to events.", RETRY_AFTER_S) from None

    async def _answer(self, scope: Scope, receive: Receive, send: Send, listener: Listener, messages: Messages) -> None:
        first = await anext(messages, None)
        if first is None:
            await Response(status_code=204)(scope, receive, send)
            return
        headers = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        gone = asyncio.create_task(_disconnected(receive, self._services.limits.body_bytes))
        await _first_of(_pump(first, messages, send), listener.cut.wait(), *self._ends(), gone)
        if gone.cancelled():  # The client is still there.
            with suppress(TimeoutError):
                async with asyncio.timeout(FINISH_S):
                    await send({"type": "http.response.body", "body": b"", "more_body": False})

    def _ends(self) -> list[Coroutine[Any, Any, Any]]:
        """An open stream would keep the server from stopping."""
        ends: list[Coroutine[Any, Any, Any]] = [self._services.stopping.wait()]
        if self._max_s is not None:
            ends.append(self._services.listeners.clock.sleep(self._max_s))
        return ends


async def _pump(first: bytes, messages: Messages, send: Send) -> None:
    await send({"type": "http.response.body", "body": first, "more_body": True})
    async for message in messages:
        await send({"type": "http.response.body", "body": message, "more_body": True})


async def _disconnected(receive: Receive, most_bytes: int) -> None:
    """Or has sent more than a body may have."""
    received = 0
    while received <= most_bytes and (message := await receive())["type"] != "http.disconnect":
        received += len(message.get("body", b""))


async def _first_of(*works: Coroutine[Any, Any, Any] | asyncio.Task[Any]) -> None:
    """Do all of it until one is done; raises what that one raised."""
    tasks = [work if isinstance(work, asyncio.Task) else asyncio.create_task(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        await end(tasks)
    for task in done:
        task.result()
