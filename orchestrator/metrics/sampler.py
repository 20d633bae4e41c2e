"""What is asked for at a scrape: streams, their readers, sagas in flight, dead letters, whether servers answer.

A scrape waits a bounded time and never fails because a server is away; answers are kept for seconds, so that many
scrapes cost the servers no more than one.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from contextvars import Context
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import structlog

from adapters.errors import Unavailable
from adapters.streams.counts import Counts
from adapters.streams.figures import StreamFigures
from adapters.streams.names import Streams
from adapters.streams.readers import Readers
from adapters.tasks import end
from orchestrator.metrics.census import Row
from sagas import Definitions

log = structlog.get_logger(__name__)

T = TypeVar("T")

WITHIN_S = 1.0  #: how long a scrape waits
SERVERS_EVERY_S = 2.0  #: how often the servers are asked at most
CENSUS_EVERY_S = 10.0  #: counting costs more
KEEP_S = 60.0  #: how long an answer is shown while the next one is under way


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Where the figures come from. Each call may raise `Unavailable`."""

    sagas: Sequence[str]  #: known here; shown also while none of them is in flight
    counts: Counts
    starts_waiting: Callable[[], int]
    streams: Callable[[], Coroutine[Any, Any, Sequence[StreamFigures]]]
    readers: Callable[[], Coroutine[Any, Any, Sequence[Readers]]]
    mongodb: Callable[[], Coroutine[Any, Any, None]]  #: a ping
    census: Callable[[], Coroutine[Any, Any, Sequence[Row]]]
    dead_letters: Callable[[], Coroutine[Any, Any, Mapping[str, int]]]  #: that wait for somebody, by stream


class Sample(Generic[T]):
    """The newest answer to one question, asked again when it is old."""

    def __init__(self, ask: Callable[[], Coroutine[Any, Any, T]], every_s: float) -> None:
        self._ask = ask
        self._every_s = every_s
        self._task: asyncio.Task[None] | None = None
        self._answer: T | None = None
        self._asked_at = self._answered_at = float("-inf")
        self.answers = False  #: whether the newest question has been answered

    def value(self, now: float) -> T | None:
        """The answer; None where there is none that is fresh enough to be shown."""
        return self._answer if now - self._answered_at <= KEEP_S else None

    async def refresh(self, within_s: float) -> None:
        """Ask, unless that was done a moment ago. What takes longer goes on, for the next scrape."""
        now = asyncio.get_running_loop().time()
        if self._task is None:
            if now - self._asked_at < self._every_s:
                return
            self._asked_at = now
            self._task = asyncio.create_task(self._refresh(), context=Context())  # Not the scrape's that asks first.
        _, unfinished = await asyncio.wait([self._task], timeout=within_s)
        if unfinished:
            self.answers = False

    async def stop(self) -> None:
        """Ask no longer."""
        if self._task is not None:
            await end([self._task])

    async def _refresh(self) -> None:
        try:
            self._answer = await self._ask()
        except Unavailable as error:
            self._fail(error)
        except Exception as error:
            log.exception("sample-failed")
            self._fail(error)
        else:
            self.answers, self._answered_at = True, asyncio.get_running_loop().time()
        finally:
            self._task = None

    def _fail(self, error: Exception) -> None:
        log.debug("sample-interrupted", reason=str(error))
        self.answers, self._answered_at = False, float("-inf")


class Sampler:
    """The samples of one orchestrator."""

    def __init__(self, sources: Sources, *, within_s: float = WITHIN_S) -> None:
        self.sources = sources
        self.streams = Sample(sources.streams, SERVERS_EVERY_S)
        self.readers = Sample(sources.readers, SERVERS_EVERY_S)
        self.mongodb = Sample(sources.mongodb, SERVERS_EVERY_S)
        self.census = Sample(sources.census, CENSUS_EVERY_S)
        self.dead_letters = Sample(sources.dead_letters, CENSUS_EVERY_S)
        self._within_s = within_s

    async def refresh(self) -> None:
        """Bring every sample up to date that can be within the time."""
        await self._each(lambda sample: sample.refresh(self._within_s))

    async def stop(self) -> None:
        """Give up what is under way."""
        await self._each(lambda sample: sample.stop())

    async def _each(self, do: Callable[[Sample[Any]], Awaitable[None]]) -> None:
        samples = (self.streams, self.readers, self.mongodb, self.census, self.dead_letters)
        await asyncio.gather(*(do(sample) for sample in samples))


def watched(definitions: Definitions, streams: Streams, replies: Iterable[str]) -> Sequence[str]:
    """The streams that these sagas use: those on which they start, their participants' commands, replies, events."""
    steps = [step for saga in definitions for step in saga.steps]
    participants = {step.endpoint.participant for step in steps}
    participants |= {step.undo.endpoint.participant for step in steps if step.undo is not None}
    commands = [stream for name in sorted(participants) for stream in streams.all_of(streams.commands(name))]
    return [*sorted(definitions.starting_on), *commands, *replies, streams.events]
