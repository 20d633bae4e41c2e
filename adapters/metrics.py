"""What metrics of orchestrator and participants have in common: how one is described, and those of a bus.

Names follow Prometheus' rules: base units, `_total` on counters, and no label whose values grow without a bound, so
never an id. See https://prometheus.io/docs/practices/naming/.
"""

import platform
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from importlib.metadata import PackageNotFoundError, version

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client import Metric as Family
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from adapters.streams.counts import Counts

_PACKAGE = "saga-orchestrator"

Samples = Iterable[tuple[tuple[str, ...], float]]


class Type(StrEnum):
    """As in the exposition format."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric."""

    name: str
    type: Type
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()

    def counter(self, registry: CollectorRegistry) -> Counter:
        """It, counted as things happen."""
        return Counter(self.name, self.help, self.labels, registry=registry)

    def histogram(self, registry: CollectorRegistry) -> Histogram:
        """It, observed as things happen."""
        return Histogram(self.name, self.help, self.labels, registry=registry, buckets=self.buckets)

    def family(self, samples: Samples) -> Family:
        """It, looked up at a scrape."""
        kind = CounterMetricFamily if self.type is Type.COUNTER else GaugeMetricFamily
        family = kind(self.name, self.help, labels=self.labels)
        for labels, value in samples:
            family.add_metric(labels, value)
        return family


def counter(name: str, help_: str, *labels: str) -> Metric:
    """A number that only grows."""
    return Metric(name, Type.COUNTER, help_, labels)


def gauge(name: str, help_: str, *labels: str) -> Metric:
    """A number that goes up and down."""
    return Metric(name, Type.GAUGE, help_, labels)


def histogram(name: str, buckets: tuple[float, ...], help_: str, *labels: str) -> Metric:
    """How often which amounts occur."""
    return Metric(name, Type.HISTOGRAM, help_, labels, buckets)


SETTLED = counter("saga_bus_entries_settled_total", "Entries acknowledged by this process.")
LEFT = counter("saga_bus_entries_left_total", "Times that an entry was left pending, to come again.")
DEAD = counter("saga_bus_entries_dead_total", "Entries that became dead letters in this process.")
TAKEN_OVER = counter("saga_bus_entries_taken_over_total", "Entries claimed from another consumer.")
VANISHED = counter(
    "saga_bus_entries_vanished_total", "Entries that were trimmed or deleted while pending, by somebody's hand."
)
TRIMMED = counter("saga_bus_entries_trimmed_total", "Settled entries trimmed.")
HEALED = counter("saga_bus_groups_healed_total", "Lost consumer groups that were made again.")
RESTARTS = counter("saga_bus_reader_restarts_total", "Readers started again.")
REMOVED = counter("saga_bus_consumers_removed_total", "Names of dead consumers that were removed.")
UNAVAILABLE = counter("saga_bus_unavailable_total", "Batches that met a server which was away.")

BUS = (SETTLED, LEFT, DEAD, TAKEN_OVER, VANISHED, TRIMMED, HEALED, RESTARTS, REMOVED, UNAVAILABLE)
BUILD = gauge("saga_build_info", "Always 1; the labels say what is running.", "version", "python")


def bus_families(counts: Counts) -> Iterator[Family]:
    """What a bus has counted."""
    numbers = (
        *(counts.settled, counts.left, counts.dead, counts.taken_over, counts.vanished),
        *(counts.trimmed, counts.healed, counts.restarts, counts.removed_consumers, counts.unavailable),
    )
    for metric, number in zip(BUS, numbers, strict=True):
        yield metric.family([((), number)])


def build_family() -> Family:
    """What is running."""
    try:
        running = version(_PACKAGE)
    except PackageNotFoundError:
        running = "unknown"
    return BUILD.family([((running, platform.python_version()), 1)])


class WithoutCreationTimes(Collector):
    """A registry without the `_created` series, which double its size and which Prometheus' text format has no use for.

    The library has a switch for them, but it is a global one.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    def describe(self) -> Iterable[Family]:
        return self._registry.collect()

    def collect(self) -> Iterator[Family]:
        for family in self._registry.collect():
            family.samples = [sample for sample in family.samples if not sample.name.endswith("_created")]
            yield family
