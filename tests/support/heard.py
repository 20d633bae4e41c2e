"""The application on a real socket over in-memory twins, and a listener of it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx

from adapters.clock import SystemClock
from orchestrator.api.guard import Limits
from orchestrator.listeners import Listeners, Room
from orchestrator.memory_store import MemorySagaStore
from orchestrator.metrics.exposition import Exposition
from orchestrator.metrics.recorder import Recorder
from support import eventually
from support.api import Api, running
from support.clock import ManualClock
from support.listening import Hearing, heard_to_its_end, listening, served

NOW = ManualClock().now()
ONE, ALL = "/v1/sagas/a/events", "/v1/sagas/events"
WHOLE = [("a", 1), ("a", 2), ("a", 3), ("a", 4)]  #: an order's transitions


class Heard:
    """The application, served, with its twins, and a listener."""

    def __init__(self, api: Api, client: httpx.AsyncClient) -> None:
        self.api, self.client = api, client
        self.hearing = Hearing()

    def listening(self, path: str, **params: Any) -> Any:
        return listening(self.client, path, self.hearing, **params)

    async def to_the_end(self, path: str, **params: Any) -> int:
        return await heard_to_its_end(self.client, path, self.hearing, **params)


def api_with(room: Room, limits: Limits | None = None) -> Api:
    store, recorder = MemorySagaStore(), Recorder()
    listeners = Listeners(store.changes, SystemClock(), room, recorder)
    return Api(store=store, listeners=listeners, limits=limits or Limits(), metrics=Exposition(recorder))


@asynccontextmanager
async def hearing(room: Room | None = None, limits: Limits | None = None) -> AsyncIterator[Heard]:
    """The application with room for so many."""
    api = api_with(room or Room(ping_s=0.05), limits)
    async with running(api), served(api.app) as client:
        yield Heard(api, client)


async def is_silent(heard: Heard) -> None:
    await eventually(lambda: not heard.api.listeners.count)
    await eventually(lambda: not heard.api.store.changes.open)
