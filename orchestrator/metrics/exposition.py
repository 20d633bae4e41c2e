"""The answer to a scrape: what was counted, and what was sampled, in Prometheus' text format."""

import asyncio
import platform
from collections.abc import Iterable, Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version

from prometheus_client import CollectorRegistry, Metric, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector

from adapters.streams.counts import Counts
from adapters.streams.figures import GroupFigures, StreamFigures
from orchestrator.metrics import catalogue
from orchestrator.metrics.catalogue import Type
from orchestrator.metrics.census import IN_FLIGHT, Row
from orchestrator.metrics.recorder import Recorder
from orchestrator.metrics.sampler import Sampler

_PACKAGE = "saga-orchestrator"

Samples = Iterable[tuple[tuple[str, ...], float]]


class Exposition(Collector):
    """One orchestrator's metrics."""

    content_type = CONTENT_TYPE_PLAIN_0_0_4

    def __init__(self, recorder: Recorder, sampler: Sampler | None = None) -> None:
        """Without a sampler only what was counted is shown."""
        self.recorder = recorder
        self._sampler = sampler
        self._all = CollectorRegistry()
        self._all.register(_WithoutCreationTimes(recorder.registry))
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
        yield _family(catalogue.BUILD, [((_version(), platform.python_version()), 1)])
        sampler = self._sampler
        if sampler is None:
            return
        now = asyncio.get_running_loop().time()
        yield _family(catalogue.UP, [(("mongodb",), sampler.mongodb.answers), (("redis",), sampler.streams.answers)])
        yield _family(catalogue.WAITING, [((), sampler.sources.starts_waiting())])
        yield from _bus(sampler.sources.counts)
        if (streams := sampler.streams.value(now)) is not None:
            yield from _streams(streams)
        if (census := sampler.census.value(now)) is not None:
            yield from _in_flight(census, sampler.sources.sagas)


class _WithoutCreationTimes(Collector):
    """A registry without the `_created` series, which double its size and which Prometheus' text format has no use for.

    The library has a switch for them, but it is a global one.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    def describe(self) -> Iterable[Metric]:
        return self._registry.collect()

    def collect(self) -> Iterator[Metric]:
        for family in self._registry.collect():
            family.samples = [sample for sample in family.samples if not sample.name.endswith("_created")]
            yield family


def _family(metric: catalogue.Metric, samples: Samples) -> Metric:
    kind = CounterMetricFamily if metric.type is Type.COUNTER else GaugeMetricFamily
    family = kind(metric.name, metric.help, labels=metric.labels)
    for labels, value in samples:
        family.add_metric(labels, value)
    return family


def _bus(counts: Counts) -> Iterator[Metric]:
    for metric, value in (
        (catalogue.SETTLED, counts.settled),
        (catalogue.LEFT, counts.left),
        (catalogue.DEAD, counts.dead),
        (catalogue.TAKEN_OVER, counts.taken_over),
        (catalogue.VANISHED, counts.vanished),
        (catalogue.TRIMMED, counts.trimmed),
        (catalogue.HEALED, counts.healed),
        (catalogue.RESTARTS, counts.restarts),
        (catalogue.REMOVED, counts.removed_consumers),
        (catalogue.UNAVAILABLE, counts.unavailable),
    ):
        yield _family(metric, [((), value)])


def _streams(streams: Sequence[StreamFigures]) -> Iterator[Metric]:
    yield _family(catalogue.LENGTH, [((each.stream,), each.length) for each in streams])
    yield _family(catalogue.DEAD_LETTERS, [((each.stream,), each.dead_letters) for each in streams])
    groups: list[tuple[tuple[str, str], GroupFigures]] = [
        ((each.stream, group.group), group) for each in streams for group in each.groups
    ]
    yield _family(catalogue.LAG, [(labels, group.lag) for labels, group in groups if group.lag is not None])
    yield _family(catalogue.LAG_KNOWN, [(labels, group.lag is not None) for labels, group in groups])
    yield _family(catalogue.PENDING, [(labels, group.pending) for labels, group in groups])
    yield _family(catalogue.OLDEST_PENDING, [(labels, group.oldest_pending_idle_s) for labels, group in groups])
    yield _family(catalogue.CONSUMERS, [(labels, group.consumers) for labels, group in groups])


def _in_flight(census: Sequence[Row], sagas: Sequence[str]) -> Iterator[Metric]:
    counts = {(saga, status.value): 0 for saga in sagas for status in IN_FLIGHT}
    counts |= {(row.saga, row.status.value): row.count for row in census}
    yield _family(catalogue.ACTIVE, counts.items())
    oldest: dict[tuple[str, ...], float] = {}
    for row in census:
        at = row.oldest.timestamp()
        oldest[row.saga,] = min(at, oldest.get((row.saga,), at))
    yield _family(catalogue.OLDEST, oldest.items())


def _version() -> str:
    try:
        return version(_PACKAGE)
    except PackageNotFoundError:
        return "unknown"
