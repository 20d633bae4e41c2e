"""Watches for what strikes inside the processes of a run: who has stopped itself needs somebody to let it go on."""

import asyncio
from collections.abc import Callable

from adapters.clock import Clock
from chaos.faults import What
from chaos.real.plan import Plan, Strike
from chaos.real.processes import Processes

_EVERY_S = 0.05
_PAUSES = (What.PAUSE_BEFORE, What.PAUSE_AFTER)


class Watcher:
    """Of one run."""

    def __init__(self, plan: Plan, processes: Processes, clock: Clock, progress: Callable[[str], None]) -> None:
        self._plan = plan
        self._processes = processes
        self._clock = clock
        self._progress = progress
        self._seen: set[Strike] = set()
        self._paused: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            for strike in set(self._plan.strikes()) - self._seen:
                self._seen.add(strike)
                self._progress(f"{strike.fault.name}: {strike.who} at {strike.about}")
                if strike.fault.what in _PAUSES:
                    self._keep_paused(strike)
            await self._clock.sleep(_EVERY_S)

    def _keep_paused(self, strike: Strike) -> None:
        # Somebody may have claimed a strike just before all was healed.
        for_s = 0.0 if self._plan.healed else strike.fault.for_s
        child = self._processes.children[strike.who]
        task = asyncio.create_task(self._processes.pause(child, for_s))
        self._paused.add(task)
        task.add_done_callback(self._paused.discard)

    def heal(self) -> None:
        """Let all of them go on."""
        for task in self._paused:
            task.cancel()
        self._processes.resume()
