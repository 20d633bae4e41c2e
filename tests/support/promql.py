"""What a query of Prometheus names, without asking Prometheus."""

import re

from orchestrator.metrics.catalogue import every_metric
from participants.metrics import every_metric as of_participants

LABELS = {metric.name: set(metric.labels) for metric in [*every_metric(), *of_participants()]}
LABELS["up"] = set()  #: Prometheus' own, of each scrape

_BY_PROMETHEUS = {"instance", "job"}


def check(query: str) -> None:
    """Each metric is one that there is, and each label that is grouped by or asked for is one of theirs."""
    written = re.sub(r"_(bucket|count|sum)\b", "", query)
    named = set(re.findall(r"\b(saga_\w+|up)\b", written))
    assert named, query
    assert named <= LABELS.keys(), query
    labels = {label for name in named for label in LABELS[name]} | _BY_PROMETHEUS | {"le"}
    grouped = {label.strip() for each in re.findall(r"by \(([^)]*)\)", query) for label in each.split(",")}
    asked = {label for each in re.findall(r"{([^}]*)}", query) for label in re.findall(r"(\w+)(?:=~|!=|=)", each)}
    assert grouped | asked <= labels, query
