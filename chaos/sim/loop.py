"""An event loop on which time passes only while nothing can be done, and then at once.

Whatever uses the loop's clock (`asyncio.sleep`, `timeout`, `wait_for`) runs on it unchanged. There is no I/O on it, and
nothing that it runs may depend on anything outside: so the same program does the same things in the same order.
A run consists of little else than waiting and being woken, so there is no more to the loop than that takes.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from contextvars import Context, copy_context
from datetime import UTC, datetime, timedelta
from heapq import heappop, heappush
from itertools import count
from typing import Any, TypeVarTuple

Ts = TypeVarTuple("Ts")

EPOCH = datetime(2030, 1, 1, tzinfo=UTC)  #: when every simulated run begins


class Stalled(Exception):
    """Everything waits for something that nothing is going to cause."""


class _Call(asyncio.TimerHandle):
    """A callback that the loop owes somebody."""

    __slots__ = ("_call",)

    def __init__(self, when: float, callback: Callable[..., object], args: tuple[Any, ...], context: Context | None):
        # Not the base's: it keeps what only debugging wants.
        self._call: tuple[Context, Callable[..., object], tuple[Any, ...]] | None
        self._call = (context or copy_context(), callback, args)
        self._when = when

    def cancel(self) -> None:
        self._call = None

    def cancelled(self) -> bool:
        return self._call is None

    def run(self) -> None:
        if self._call is not None:
            context, callback, args = self._call
            context.run(callback, *args)


class VirtualLoop(asyncio.BaseEventLoop):
    """The loop. `time()` begins at zero."""

    def __init__(self) -> None:
        self._running = self._ending = False
        self._now_s = 0.0
        self._calls: deque[_Call] = deque()
        #: what is due when: a call, or the future of somebody who sleeps; of the same moment in the order of asking
        self._timers: list[tuple[float, int, _Call | asyncio.Future[None]]] = []
        self._order = count()
        super().__init__()

    def time(self) -> float:
        """Seconds since the run began."""
        return self._now_s

    def call_soon(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        call = _Call(self._now_s, callback, args, context)
        self._calls.append(call)
        return call

    def call_later(
        self, delay: float, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        return self.call_at(self._now_s + delay, callback, *args, context=context)

    def call_at(
        self, when: float, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        call = _Call(when, callback, args, context)
        heappush(self._timers, (when, next(self._order), call))
        return call

    def sleep(self, seconds: float) -> "asyncio.Future[None]":
        """As `asyncio.sleep`, for more than no time at all."""
        slept = self.create_future()
        heappush(self._timers, (self._now_s + seconds, next(self._order), slept))
        return slept

    # -- running -------------------------------------------------------------------------------------------------------

    def is_running(self) -> bool:
        return self._running

    def stop(self) -> None:
        self._ending = True

    def run_forever(self) -> None:
        """Until `stop`. Raises `Stalled`."""
        self._running, self._ending = True, False
        asyncio._set_running_loop(self)  # noqa: SLF001 - it is there for whoever writes a loop
        try:
            while not self._ending:
                if self._calls:
                    self._run_due()
                else:
                    self._pass_time()
        finally:
            asyncio._set_running_loop(None)  # noqa: SLF001
            self._running = False

    def _run_due(self) -> None:
        calls = self._calls
        while calls and not self._ending:
            try:
                calls.popleft().run()
            except (SystemExit, KeyboardInterrupt):
                raise
            except BaseException as error:  # noqa: BLE001 - a callback's, which nobody waits for
                self.call_exception_handler({"message": "exception in a callback", "exception": error})

    def _pass_time(self) -> None:
        """Up to the next moment at which something is due; what is due then can be run."""
        timers = self._timers
        while timers and timers[0][2].cancelled():
            heappop(timers)
        if not timers:
            raise Stalled
        self._now_s = now_s = max(self._now_s, timers[0][0])
        while timers and timers[0][0] <= now_s:
            due = heappop(timers)[2]
            if isinstance(due, _Call):
                self._calls.append(due)
            elif not due.done():
                due.set_result(None)


class VirtualClock:
    """Implements `adapters.clock.Clock` on a loop; it may be fast or slow against the others by some seconds."""

    def __init__(self, loop: VirtualLoop, skew_s: float = 0.0) -> None:
        self._loop = loop
        self._skew_s = skew_s
        self._read_at_s = -1.0
        self._now = EPOCH

    def now(self) -> datetime:
        """The simulated time, cut to the millisecond."""
        at_s = self._loop.time()
        if at_s != self._read_at_s:
            self._read_at_s = at_s
            self._now = EPOCH + timedelta(milliseconds=int((at_s + self._skew_s) * 1000))
        return self._now

    async def sleep(self, seconds: float) -> None:
        """Wait on the loop's clock."""
        if seconds > 0:
            await self._loop.sleep(seconds)
        else:
            await asyncio.sleep(0)
