"""The Grafana dashboard, from what anybody looks for first down to the details.

python -m orchestrator.metrics.dashboard > deploy/observe/grafana/dashboards/saga.json
"""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]

_WIDTH, _HEIGHT, _IN_A_ROW = 8, 8, 3  #: Grafana's grid is 24 wide
_SOURCE = {"type": "prometheus", "uid": "prometheus"}


@dataclass(frozen=True, slots=True)
class Panel:
    """One graph: a query for each group of lines, with the legend of each line."""

    title: str
    queries: Sequence[tuple[str, str]]
    unit: str = "short"  #: Grafana's name: `s`, `reqps`, `short`, `percentunit`


def _rate(metric: str, by: str) -> str:
    return f"sum by ({by}) (rate({metric}[$__rate_interval]))"


def _quantile(share: float, metric: str, by: str) -> tuple[str, str]:
    query = f"histogram_quantile({share}, {_rate(f'{metric}_bucket', f'le, {by}')})"
    return query, f"p{share * 100:g} {{{{{by}}}}}"


#: What is looked up in the databases is the same for every replica (max); what a process counts is its own (sum).
ROWS: dict[str, Sequence[Panel]] = {
    "Sagas": (
        Panel(
            "Begun and ended, a second",
            [
                (_rate("saga_started_total", "saga"), "{{saga}} begun"),
                (_rate("saga_ended_total", "saga, status"), "{{saga}} {{status}}"),
            ],
            "reqps",
        ),
        Panel("In flight", [("max by (saga, status) (saga_active)", "{{saga}} {{status}}")]),
        Panel("Stuck: a person must look", [('max by (saga) (saga_active{status="stuck"})', "{{saga}}")]),
        Panel(
            "From acceptance to the end",
            [_quantile(share, "saga_duration_seconds", "outcome") for share in (0.5, 0.99)],
            "s",
        ),
        Panel(
            "Age of the oldest in flight",
            [("time() - max by (saga) (saga_oldest_active_timestamp_seconds)", "{{saga}}")],
            "s",
        ),
        Panel("Dependencies: 1 is up", [("min by (dependency) (saga_dependency_up)", "{{dependency}}")]),
    ),
    "Steps": (
        Panel(
            "Attempts that failed or had no answer",
            [
                (
                    'sum by (step) (rate(saga_step_attempts_total{outcome=~"failed|timeout"}[$__rate_interval]))'
                    " / sum by (step) (rate(saga_step_attempts_total[$__rate_interval]))",
                    "{{step}}",
                )
            ],
            "percentunit",
        ),
        Panel("A step, retries included", [_quantile(0.99, "saga_step_duration_seconds", "step")], "s"),
        Panel(
            "Commands sent again", [(_rate("saga_commands_resent_total", "step, kind"), "{{step}} {{kind}}")], "reqps"
        ),
    ),
    "Streams": (
        Panel("Waiting to be read", [("max by (stream, group) (saga_stream_group_lag)", "{{stream}}")]),
        Panel("Read and not settled", [("max by (stream, group) (saga_stream_group_pending)", "{{stream}}")]),
        Panel("Dead letters", [("max by (stream) (saga_dead_letters)", "{{stream}}")]),
    ),
    "Requests": (
        Panel("Answers", [(_rate("saga_http_requests_total", "status"), "{{status}}")], "reqps"),
        Panel("Time to answer", [_quantile(0.99, "saga_http_request_duration_seconds", "route")], "s"),
        Panel("Starts that wait to be stored", [("sum by (instance) (saga_starts_waiting)", "{{instance}}")]),
    ),
    "Orchestrators": (
        Panel("Decide, save and announce a batch", [_quantile(0.99, "saga_apply_duration_seconds", "instance")], "s"),
        Panel("How late timers are", [("max by (instance) (saga_timer_lag_seconds)", "{{instance}}")], "s"),
        Panel(
            "Saves lost to another writer",
            [(_rate("saga_revision_conflicts_total", "instance"), "{{instance}}")],
            "reqps",
        ),
    ),
    "Participants": (
        Panel(
            "Commands answered",
            [(_rate("saga_participant_commands_total", "participant, outcome"), "{{participant}} {{outcome}}")],
            "reqps",
        ),
        Panel("Until a command is taken up", [_quantile(0.99, "saga_participant_queue_seconds", "participant")], "s"),
        Panel("From that to its answer", [_quantile(0.99, "saga_participant_processing_seconds", "participant")], "s"),
    ),
}


def queries() -> list[str]:
    """Every query."""
    return [query for panels in ROWS.values() for panel in panels for query, _ in panel.queries]


def as_json() -> str:
    """The file that Grafana loads."""
    panels: list[Json] = []
    top = 0
    for title, row in ROWS.items():
        panels.append({"type": "row", "title": title, "gridPos": {"x": 0, "y": top, "w": 24, "h": 1}})
        for place, panel in enumerate(row):
            below, beside = divmod(place, _IN_A_ROW)
            panels.append(_graph(panel, beside * _WIDTH, top + 1 + below * _HEIGHT))
        top += 1 + _HEIGHT * -(-len(row) // _IN_A_ROW)
    dashboard = {
        "uid": "saga",
        "title": "Sagas",
        "schemaVersion": 39,
        "refresh": "30s",
        "time": {"from": "now-1h", "to": "now"},
    }
    lines = ",\n".join(json.dumps({"id": number, **panel}) for number, panel in enumerate(panels, 1))
    return f'{json.dumps(dashboard)[:-1]}, "panels": [\n{lines}\n]}}\n'  # A panel a line: changes can be read.


def _graph(panel: Panel, x: int, y: int) -> Json:
    return {
        "type": "timeseries",
        "title": panel.title,
        "datasource": _SOURCE,
        "gridPos": {"x": x, "y": y, "w": _WIDTH, "h": _HEIGHT},
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "targets": [
            {"refId": chr(ord("A") + number), "datasource": _SOURCE, "expr": query, "legendFormat": legend}
            for number, (query, legend) in enumerate(panel.queries)
        ],
    }


if __name__ == "__main__":
    sys.stdout.write(as_json())
