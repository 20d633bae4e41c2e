"""The timers: one indexed query for sagas whose wake-up time has come, in batches, through the same `engine.apply`.

The happy path never waits for it. It knows how long this process has listened without a break, because silence
counts only for somebody who listened: see core/timers.py.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import timedelta

import structlog

from adapters.bus import Bus
from adapters.errors import Unavailable
from adapters.streams.names import ORCHESTRATOR_GROUP, Streams
from orchestrator.core.state import SagaState, Woken
from orchestrator.engine import Engine, Input

log = structlog.get_logger(__name__)

UNKNOWN_DEFINITION_PAUSE = timedelta(minutes=1)  #: when a saga of an unknown definition is looked at again


class Sweeper:
    """Wakes sagas. `run` is its loop, `sweep` one batch of it."""

    def __init__(self, engine: Engine, bus: Bus, streams: Streams, *, batch: int = 500, every_s: float = 0.25) -> None:
        self._engine = engine
        self._bus = bus
        self._streams = streams
        self._batch = batch
        self._every_s = every_s
        self._watched_since = engine.clock.now()

    async def run(self) -> None:
        """Sweep for ever; a server that is away is waited for, an unexpected error is logged and survived."""
        while True:
            full = False
            try:
                full = await self.sweep() >= self._batch
            except Unavailable as error:
                log.warning("sweep-interrupted", reason=str(error))
            except Exception:
                log.exception("sweep-failed")
            if not full:
                await self._engine.clock.sleep(self._every_s)

    async def sweep(self) -> int:
        """Wake one batch of due sagas; how many. Raises `Unavailable`; then listening begins anew."""
        try:
            return await self._sweep()
        except Unavailable:
            self.interrupted()
            raise

    def interrupted(self) -> None:
        """A server was away: silence before this moment counts for nothing."""
        self._watched_since = self._engine.clock.now()

    async def _sweep(self) -> int:
        due = await self._engine.store.due(self._engine.clock.now(), self._batch)
        known = [state for state in due if self._engine.definition(state) is not None]
        if known:
            woken = Woken(self._watched_since, await self._queued(known))
            await self._engine.apply([Input(state.id, woken) for state in known], known)
        await self._postpone(state for state in due if self._engine.definition(state) is None)
        return len(due)

    async def _queued(self, states: Sequence[SagaState]) -> frozenset[str]:
        """The commands that still wait in their stream, or whose reply may still wait in ours."""
        pendings = [pending for state in states for pending in state.pending]
        groups = {self._streams.commands(pending.participant): pending.participant for pending in pendings}
        until = await self._bus.delivered_until({**groups, self._streams.replies: ORCHESTRATOR_GROUP})
        replies_until = until[self._streams.replies]
        queued = set()
        for pending in pendings:
            delivered = until[self._streams.commands(pending.participant)]
            waiting_there = delivered is not None and delivered < pending.sent_at
            waiting_here = replies_until is not None and replies_until < pending.deadline
            if waiting_there or waiting_here:
                queued.add(pending.command_id)
        return frozenset(queued)

    async def _postpone(self, states: Iterable[SagaState]) -> None:
        """What this process cannot handle is left alone, and must never starve other timers."""
        later = self._engine.clock.now() + UNKNOWN_DEFINITION_PAUSE
        moves = [(state, replace(state, wake_at=later)) for state in states]
        if moves:
            await self._engine.store.reschedule(moves)
