"""The page docs/metrics.md, made from the catalogue.

python -m orchestrator.metrics.document > docs/metrics.md
"""

import sys

from orchestrator.metrics.catalogue import SECTIONS, Metric

_OPENING = """\
# Metrics

`GET /metrics` answers in Prometheus' text format. This page is made from the code
(`python -m orchestrator.metrics.document > docs/metrics.md`); a test holds the two together.

- Counters and histograms are this process's own; sum them over the replicas.
- `saga_active`, `saga_oldest_active_timestamp_seconds`, `saga_dead_letters` and every `saga_stream_…` are looked up
  in MongoDB and Redis at a scrape, kept for seconds, and the same for every replica; take the maximum.
- A scrape waits at most about a second for the two. What is not known is absent, and `saga_dependency_up` is 0.
- Labels: `saga`, `step` and `stream` come from the definitions; `kind` is `action`, `compensation` or `revoke`.
  No label ever holds an id.
- On Linux `process_…` tells CPU, memory and open files, as every Prometheus client does.

What to be woken for:

| when | says |
|---|---|
| `max by (saga) (saga_active{status="stuck"}) > 0` | a saga waits for a person |
| `time() - max by (saga) (saga_oldest_active_timestamp_seconds) > 900` | a saga does not come to its end |
| `max by (stream, group) (saga_stream_group_lag) > 10000` | a participant is away or too slow |
| `min by (stream, group) (saga_stream_group_lag_known) == 0` | nobody can tell whether it is: look at the stream |
| `max by (stream, group) (saga_stream_group_oldest_pending_idle_seconds) > 120` | what was read is not settled |
| `max by (stream) (saga_dead_letters) > 0` | messages that nobody could handle |
| `increase(saga_bus_entries_vanished_total[10m]) > 0` | somebody trims or deletes entries by hand |
| `min by (dependency) (saga_dependency_up) == 0` | a server is away |
"""


def as_markdown() -> str:
    """The whole page."""
    sections = [_section(title, metrics) for title, metrics in SECTIONS.items()]
    return "\n".join([_OPENING, *sections])


def _section(title: str, metrics: tuple[Metric, ...]) -> str:
    rows = [_row(metric) for metric in metrics]
    return "\n".join([f"## {title}", "", "| name | type | labels | says |", "|---|---|---|---|", *rows, ""])


def _row(metric: Metric) -> str:
    labels = ", ".join(f"`{label}`" for label in metric.labels)
    return f"| `{metric.name}` | {metric.type} | {labels} | {metric.help} |"


if __name__ == "__main__":
    sys.stdout.write(as_markdown())
