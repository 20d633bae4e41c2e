"""The timers: one indexed query for sagas whose wake-up time has come, in batches, through the same `engine.apply`.

The happy path never waits for it. Silence counts only for somebody who listened (core/timers.py), so it asks the bus
what still waits in the streams before it wakes a saga.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import structlog

from adapters.bus import Bus
from adapters.errors import Unavailable
from adapters.streams.names import ORCHESTRATOR_GROUP, Streams
from orchestrator.core.state import SagaState, Woken
from orchestrator.core.timers import RESEND_FIRST
from orchestrator.engine import Engine
from orchestrator.observer import Observer, Unobserved
from orchestrator.work import Input
from sagas.values import replace

log = structlog.get_logger(__name__)

ANNOUNCING = timedelta(seconds=1)  #: a command is on its stream that soon after it was decided to send it
LONG_AHEAD = datetime.max.replace(tzinfo=UTC)  #: everything has been delivered
UNKNOWN_DEFINITION_PAUSE = timedelta(minutes=1)  #: when a saga of an unknown definition is looked at again


class Sweeper:
    """Wakes sagas. `run` is its loop, `sweep` one batch of it."""

    def __init__(
        self,
        engine: Engine,
        bus: Bus,
        streams: Streams,
        *,
        batch: int = 500,
        every_s: float = 0.25,
        observer: Observer | None = None,
    ) -> None:
        self._engine = engine
        self._bus = bus
        self._streams = streams
        self._batch = batch
        self._every_s = every_s
        self._observer = observer or Unobserved()

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
        """Wake one batch of due sagas; how many. Whatever it raises, listening begins anew after it."""
        try:
            return await self._sweep()
        except Exception:
            self._engine.announcer.interrupted()
            raise

    async def _sweep(self) -> int:
        begun = self._engine.clock.now()
        due = await self._engine.store.due(begun, self._batch)
        unknown = {state.id for state in due if self._engine.definition(state) is None}
        known = [state for state in due if state.id not in unknown]
        if known:
            woken = await self._woken(known)
            await self._engine.apply([Input(state.id, woken) for state in known], known)
        await self._postpone([state for state in due if state.id in unknown])
        late_s = max(((begun - state.wake_at).total_seconds() for state in due if state.wake_at), default=0.0)
        self._observer.swept(len(due), late_s, (self._engine.clock.now() - begun).total_seconds())
        return len(due)

    async def _woken(self, states: Sequence[SagaState]) -> Woken:
        """What the core must know before it takes silence for silence.

        A command is queued while its stream has not been delivered that far. While replies wait in our own stream, a
        silence that ended behind them proves nothing; and where they wait for long, we are slow ourselves: what is
        sent again then would only be more of it.
        """
        pendings = [pending for state in states for pending in state.pending]
        groups = {self._streams.commands(pending.participant): pending.participant for pending in pendings}
        until = await self._bus.delivered_until({**groups, self._streams.replies: ORCHESTRATOR_GROUP})
        replies_until = until[self._streams.replies] or LONG_AHEAD
        slow = replies_until < self._engine.clock.now() - RESEND_FIRST
        queued, unheard = set(), set()
        for pending in pendings:
            delivered = until[self._streams.commands(pending.participant)] or LONG_AHEAD
            if slow or delivered <= max(pending.sent_at, self._engine.announcer.sent_again_at) + ANNOUNCING:
                queued.add(pending.command_id)
            if replies_until < pending.deadline:
                unheard.add(pending.command_id)
        return Woken(self._engine.announcer.listening_since, frozenset(queued), frozenset(unheard))

    async def _postpone(self, states: Sequence[SagaState]) -> None:
        """What this process cannot handle is left alone, and must never starve other timers."""
        later = self._engine.clock.now() + UNKNOWN_DEFINITION_PAUSE
        moves = [(state, replace(state, wake_at=later)) for state in states]
        if moves:
            await self._engine.store.reschedule(moves)
