"""The answer to a scrape: what was counted, and what was sampled, in Prometheus' text format."""

import asyncio
from collections.abc import Iterable, Iterator, Sequence

from prometheus_client import CollectorRegistry, Metric, ProcessCollector, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector

from adapters.metrics import WithoutCreationTimes, build_family, bus_families
from adapters.streams.figures import GroupFigures, StreamFigures
from orchestrator.core.state import Status
from orchestrator.metrics import catalogue
from orchestrator.metrics.census import IN_FLIGHT, Row
from orchestrator.metrics.recorder import Recorder
from orchestrator.metrics.sampler import Sampler


class Exposition(Collector):
    """One orchestrator's metrics."""

    content_type = CONTENT_TYPE_PLAIN_0_0_4

    def __init__(self, recorder: Recorder, sampler: Sampler | None = None) -> None:
        """Without a sampler only what was counted is shown."""
        self.recorder = recorder
        self._sampler = sampler
        self._all = CollectorRegistry()
        self._all.register(WithoutCreationTimes(recorder.registry))
        self._all.register(self)
        ProcessCollector(registry=self._all)

    async def text(self) -> bytes:
        """The page. Never fails because a server is away."""
        if self._sampler is not None:
            await self._sampler.refresh()
        return generate_latest(self._all)

    def describe(self) -> Iterable[Metric]:
        """Nothing beforehand: `collect` needs a running loop."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """What was sampled."""
        yield build_family()
        sampler = self._sampler
        if sampler is None:
            return
        now = asyncio.get_running_loop().time()
        yield catalogue.UP.family([(("mongodb",), sampler.mongodb.answers), (("redis",), sampler.streams.answers)])
        yield catalogue.WAITING.family([((), sampler.sources.starts_waiting())])
        yield from bus_families(sampler.sources.counts)
        if (streams := sampler.streams.value(now)) is not None:
            yield from _streams(streams)
        if (letters := sampler.dead_letters.value(now)) is not None:
            counts = {each.stream: 0 for each in streams or ()} | dict(letters)
            yield catalogue.DEAD_LETTERS.family([((stream,), count) for stream, count in counts.items()])
        if (readers := sampler.readers.value(now)) is not None:
            yield catalogue.CONSUMERS.family([((each.stream, each.group), each.living) for each in readers])
        if (census := sampler.census.value(now)) is not None:
            yield from _in_flight(census, sampler.sources.sagas)


def _streams(streams: Sequence[StreamFigures]) -> Iterator[Metric]:
    yield catalogue.LENGTH.family([((each.stream,), each.length) for each in streams])
    yield catalogue.DEAD_LENGTH.family([((each.stream,), each.dead_letters) for each in streams])
    groups: list[tuple[tuple[str, str], GroupFigures]] = [
        ((each.stream, group.group), group) for each in streams for group in each.groups
    ]
    yield catalogue.LAG.family([(labels, group.lag) for labels, group in groups if group.lag is not None])
    yield catalogue.LAG_KNOWN.family([(labels, group.lag is not None) for labels, group in groups])
    yield catalogue.PENDING.family([(labels, group.pending) for labels, group in groups])
    yield catalogue.OLDEST_PENDING.family([(labels, group.oldest_pending_idle_s) for labels, group in groups])


def _in_flight(census: Sequence[Row], sagas: Sequence[str]) -> Iterator[Metric]:
    counts = {(saga, status.value): 0 for saga in sagas for status in IN_FLIGHT}
    counts |= {(row.saga, row.status.value): row.count for row in census}
    yield catalogue.ACTIVE.family(counts.items())
    oldest: dict[tuple[str, ...], float] = {}
    for row in census:
        if row.status is Status.STUCK:
            continue  # It has an alert of its own, and would hide one that should move.
        at = row.oldest.timestamp()
        oldest[row.saga,] = min(at, oldest.get((row.saga,), at))
    yield catalogue.OLDEST.family(oldest.items())
