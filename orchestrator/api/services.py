"""What the routes work with, handed in by the composition root."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from adapters.bus import Bus
from adapters.errors import Unavailable
from adapters.streams.names import Streams
from adapters.tracing.port import Tracer, Untraced
from orchestrator.admission import Admission
from orchestrator.api.auditing import Auditor
from orchestrator.api.guard import Limits
from orchestrator.api.rates import Rates
from orchestrator.core.state import SagaState
from orchestrator.dead_letters import DeadLetterStore
from orchestrator.engine import Engine
from orchestrator.keys import KeyRing
from orchestrator.listeners import Listeners
from orchestrator.metrics.exposition import Exposition
from orchestrator.metrics.recorder import Recorder
from orchestrator.redriving import Redriver
from orchestrator.starting import Starter
from sagas import Saga

POLL_S = 1.0  #: how often a waiting request looks whether the saga has ended in another process


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """The engine and what surrounds it."""

    engine: Engine
    bus: Bus
    starter: Starter
    admission: Admission
    auditor: Auditor
    dead_letters: DeadLetterStore
    redriver: Redriver
    listeners: Listeners
    new_id: Callable[[], str]
    streams: Streams = field(default_factory=Streams)
    keys: KeyRing = field(default_factory=KeyRing)
    limits: Limits = field(default_factory=Limits)
    rates: Rates = field(default_factory=Rates)
    max_batch: int = 1_000
    wait_max_s: float = 30.0
    metrics: Exposition = field(default_factory=lambda: Exposition(Recorder()))
    access_log: bool = False
    tracer: Tracer = field(default_factory=Untraced)
    stopping: asyncio.Event = field(default_factory=asyncio.Event)  #: set: nobody waits any longer
    not_ready: Callable[[], str | None] = lambda: None  #: why this process does not work yet, beyond its servers

    def definition(self, state: SagaState) -> Saga | None:
        """The very definition that the saga began with; None where it isn't known here."""
        saga = self.engine.definitions.get(state.saga, state.version)
        return saga if saga is not None and saga.fingerprint == state.fingerprint else None

    async def ended(self, state: SagaState, wait_s: float) -> SagaState:
        """The saga as it is when it has ended, or as it was last seen when the time is up."""
        loop = asyncio.get_running_loop()
        end = loop.time() + wait_s
        while not state.status.ended and not self.stopping.is_set() and (left := end - loop.time()) > 0:
            told = await self.engine.waiters.wait(state.id, min(left, POLL_S))
            state = told or await self._fresh(state)
        return state

    async def _fresh(self, state: SagaState) -> SagaState:
        try:
            return (await self.engine.store.load([state.id])).get(state.id, state)
        except Unavailable:
            return state  # It is stored and goes on; whoever waits for it gets what was known last.
