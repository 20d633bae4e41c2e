"""Reading metrics: a page of them as numbers by name and labels."""

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

Page = Mapping[tuple[str, frozenset[tuple[str, str]]], float]


class Read:
    """A scraped page."""

    def __init__(self, text: str) -> None:
        self.families = {family.name: family for family in text_string_to_metric_families(text)}
        self.samples: Page = {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in self.families.values()
            for sample in family.samples
        }

    def value(self, name: str, **labels: str) -> float | None:
        """One sample; None where there is none with exactly these labels."""
        return self.samples.get((name, frozenset(labels.items())))

    def all(self, name: str) -> dict[tuple[str, ...], float]:
        """Every sample of that name that is not 0, by its labels' values in the order of the labels' names."""
        found = {
            tuple(value for _, value in sorted(labels)): number
            for (sample, labels), number in self.samples.items()
            if sample == name
        }
        return {labels: number for labels, number in found.items() if number}


def read(registry: CollectorRegistry) -> Read:
    """What a registry shows."""
    return Read(generate_latest(registry).decode())
