"""The load without HTTP: orchestrator and participants in this very process, given sagas by function calls."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from cli.bench.plan import Order
from cli.failure import Exit, Failure
from orchestrator.api.starts import StartFactory
from orchestrator.app import Orchestrator
from orchestrator.settings import Settings
from participants.app import SHIPPED, build
from participants.settings import ParticipantSettings

_GIVE_UP_S = 60.0


class InProcess:
    """The engine itself, behind what groups concurrent starts."""

    def __init__(self, orchestrator: Orchestrator, group: int) -> None:
        self._orchestrator = orchestrator
        self._factory = StartFactory(orchestrator.engine.definitions, lambda: "")
        self.group = group

    async def run(self, orders: Sequence[Order]) -> None:
        starts = [self._factory.make(order.body, key=None, traceparent=None) for order in orders]
        last = asyncio.create_task(self._orchestrator.engine.waiters.wait(orders[-1].id, _GIVE_UP_S))
        await asyncio.sleep(0)  # It waits from now on: the saga may end at any time.
        await self._orchestrator.starter.start(starts)
        if await last is None:
            raise Failure(f"The saga {orders[-1].id} does not end.", Exit.TIMEOUT)


@asynccontextmanager
async def in_this_process(
    settings: Settings, participants: ParticipantSettings, group: int
) -> AsyncIterator[InProcess]:
    """Everything but HTTP, in this event loop."""
    working = build(*SHIPPED.values(), settings=participants)
    orchestrator = Orchestrator(settings)
    try:
        await working.start()
        await orchestrator.start()
        yield InProcess(orchestrator, group)
    finally:
        await orchestrator.stop()
        await working.stop()
