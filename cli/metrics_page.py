"""The page docs/metrics.md, made from the catalogue.

python -m cli.metrics_page > docs/metrics.md
"""

import sys

from adapters.metrics import Metric
from orchestrator.metrics.alerts import as_rows
from orchestrator.metrics.catalogue import SECTIONS
from participants.metrics import PARTICIPANTS

_OPENING = """\
# Metrics

`GET /metrics` answers in Prometheus' text format. This page is made from the code
(`python -m cli.metrics_page > docs/metrics.md`); a test holds the two together.

- Counters and histograms are this process's own; sum them over the replicas.
- `saga_active`, `saga_oldest_active_timestamp_seconds`, `saga_dead_…` and every `saga_stream_…` are looked up
  in MongoDB and Redis at a scrape, kept for seconds, and the same for every replica; take the maximum.
- A scrape waits at most about a second for the two. What is not known is absent, and `saga_dependency_up` is 0.
- Labels: `saga`, `step` and `stream` come from the definitions; `kind` is `action`, `compensation` or `revoke`.
  No label ever holds an id.
- On Linux `process_…` tells CPU, memory and open files, as every Prometheus client does.

What to be woken for; as rules in [alerts.yml](alerts.yml), with what to do first:

| alert | when | says |
|---|---|---|
"""

_PARTICIPANTS = """\
A participant that runs by itself (`saga participant inventory`) shows these, the ones named `saga_bus_…` and
`saga_build_info` at the port that `SAGA_METRICS_PORT` names, on loopback unless `SAGA_METRICS_HOST` says otherwise.
"""


def as_markdown() -> str:
    """The whole page."""
    sections = [_section(title, metrics) for title, metrics in SECTIONS.items()]
    participants = f"{_section('Participants', PARTICIPANTS)}\n{_PARTICIPANTS}"
    return "\n".join([_OPENING + "\n".join([*as_rows(), ""]), *sections, participants])


def _section(title: str, metrics: tuple[Metric, ...]) -> str:
    rows = [_row(metric) for metric in metrics]
    return "\n".join([f"## {title}", "", "| name | type | labels | says |", "|---|---|---|---|", *rows, ""])


def _row(metric: Metric) -> str:
    labels = ", ".join(f"`{label}`" for label in metric.labels)
    return f"| `{metric.name}` | {metric.type} | {labels} | {metric.help} |"


if __name__ == "__main__":
    sys.stdout.write(as_markdown())
