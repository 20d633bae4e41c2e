"""Starting sagas: concurrent starts become one write, and each is answered as soon as it is durable.

Announcing follows the answer, so Redis being away delays nobody. Nothing here grows without a bound: too many starts
waiting to be stored are refused; first commands that can't be announced in time are left to their sagas' timers.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from contextvars import Context
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from adapters.errors import Unavailable
from orchestrator.core.state import Decision
from orchestrator.engine import Engine
from orchestrator.work import Start, Started

log = structlog.get_logger(__name__)

LATELY = timedelta(milliseconds=100)
BUSY = 10  #: starts lately, from which on others are worth waiting for
ENOUGH = 200  #: starts that are worth a write of their own, and as many commands as a participant takes in one turn


class Overloaded(Exception):
    """Not accepted, nothing has happened: come back after `retry_after_s`."""

    def __init__(self, reason: str, retry_after_s: int) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(reason)


@dataclass(frozen=True, slots=True)
class _Waiting:
    """Starts of one caller, who waits for what became of them."""

    starts: Sequence[Start]
    answer: asyncio.Future[Sequence[Started]]


class Starter:
    """Stores what is waiting while the write before is under way; an idle one stores at once.

    Sagas that begin together travel together, and a batch costs nearly the same however small it is. So while many
    come, a few wait for others, for as long as the newest batch of replies took: that one pause spares every step after
    it, and it is the longer, the more there is to do.
    """

    def __init__(self, engine: Engine, *, batch: int = 500, limit: int = 10_000, gather_s: float = 0.1) -> None:
        """`gather_s`: how long a few starts wait for others at most, while many come."""
        self._engine = engine
        self._gather_s = gather_s
        self._lately: deque[tuple[datetime, int]] = deque(maxlen=BUSY)  # when, and how many starts were stored
        self._batch = batch
        self._limit = limit
        self._queue: deque[_Waiting] = deque()
        self.waiting = 0  #: starts that are not stored yet
        self._unannounced: list[Decision] = []
        self._left_out = 0
        self._storing: asyncio.Task[None] | None = None
        self._announcing: asyncio.Task[None] | None = None
        self.closed: str | None = None  #: why nothing is let in yet
        self.stopped = False  #: nothing is let in any more

    async def start(self, starts: Sequence[Start]) -> Sequence[Started]:
        """The sagas that have these ids now, durably. Raises `Overloaded`, or `Unavailable` as `Engine.accept` does."""
        if self.closed:
            raise Unavailable(self.closed)
        if self.stopped:
            raise Overloaded("the orchestrator is stopping", retry_after_s=2)
        if self.waiting and self.waiting + len(starts) > self._limit:
            raise Overloaded("too many sagas are waiting to be stored", retry_after_s=1)
        answer: asyncio.Future[Sequence[Started]] = asyncio.get_running_loop().create_future()
        self._queue.append(_Waiting(starts, answer))
        self.waiting += len(starts)
        if self._storing is None:
            # A context of its own: what it does for many requests is not to be logged or traced as the first one's.
            self._storing = asyncio.create_task(self._store(), context=Context())
        return await answer

    async def stop(self) -> None:
        """Refuse what comes now; finish what was let in."""
        self.stopped = True
        while tasks := [task for task in (self._storing, self._announcing) if task is not None]:
            await asyncio.wait(tasks)

    async def _store(self) -> None:
        """Until nothing waits any more."""
        try:
            while self._queue:
                if self.waiting < ENOUGH and self._is_busy():
                    await self._engine.clock.sleep(min(self._gather_s, self._engine.took_s))
                await self._store_together(self._next_batch())
        finally:
            self._storing = None

    def _is_busy(self) -> bool:
        """Whether so many come that others will be there in a moment."""
        now = self._engine.clock.now()
        return sum(count for at, count in self._lately if now - at <= LATELY) >= BUSY

    def _next_batch(self) -> list[_Waiting]:
        batch = [self._queue.popleft()]
        size = len(batch[0].starts)
        while self._queue and size + len(self._queue[0].starts) <= self._batch:
            batch.append(self._queue.popleft())
            size += len(batch[-1].starts)
        return batch

    async def _store_together(self, batch: Sequence[_Waiting]) -> None:
        starts = [start for waiting in batch for start in waiting.starts]
        self._lately.append((self._engine.clock.now(), len(starts)))
        try:
            started, decisions = await self._engine.accept(starts)
        except Unavailable as error:
            _fail([*batch, *self._give_up_waiting()], error)
            return
        except Exception as error:  # noqa: BLE001 - each caller gets it, and the next batch its try
            _fail(batch, error)
            return
        finally:
            self.waiting -= len(starts)
        _answer(batch, started)
        self._announce_soon(decisions)

    def _give_up_waiting(self) -> list[_Waiting]:
        """A store that is away takes its time to say so: who has waited for that is not made to wait once more."""
        waiting = list(self._queue)
        self._queue.clear()
        self.waiting -= sum(len(each.starts) for each in waiting)
        return waiting

    def _announce_soon(self, decisions: Sequence[Decision]) -> None:
        if len(self._unannounced) + len(decisions) > self._limit:
            self._left_out += len(decisions)
            return  # Each saga's timer sends what was not sent here.
        self._unannounced.extend(decisions)
        if self._announcing is None and self._unannounced:
            self._announcing = asyncio.create_task(self._announce(), context=Context())

    async def _announce(self) -> None:
        try:
            while self._unannounced:
                decisions, self._unannounced = self._unannounced, []
                await self._engine.announce_started(decisions)
        except Exception:
            log.exception("start-not-announced")
        finally:
            self._announcing = None
            if self._left_out:
                log.warning("start-not-announced", sagas=self._left_out, reason="too many were waiting for Redis")
            self._left_out = 0


def _fail(batch: Sequence[_Waiting], error: Exception) -> None:
    """The same reason for everyone, but an exception of their own: each raise adds to its traceback."""
    for waiting in batch:
        if not waiting.answer.done():
            waiting.answer.set_exception(_copy(error))


def _copy(error: Exception) -> Exception:
    if isinstance(error, Unavailable):
        return Unavailable(*error.args)
    failed = RuntimeError("storing new sagas failed")
    failed.__cause__ = error
    return failed


def _answer(batch: Sequence[_Waiting], started: Sequence[Started]) -> None:
    position = 0
    for waiting in batch:
        mine = started[position : position + len(waiting.starts)]
        position += len(waiting.starts)
        if not waiting.answer.done():  # Its caller may have gone; the saga is there all the same.
            waiting.answer.set_result(mine)
