"""The alert rules: they name metrics that there are, they are what the code says, and Prometheus accepts them."""

import shutil
import subprocess
from pathlib import Path

import pytest

from orchestrator.metrics.alerts import ALERTS, Alert, as_yaml
from support.promql import check
from support.source import ROOT

RULES = ROOT / "docs" / "alerts.yml"

needs_promtool = pytest.mark.skipif(not shutil.which("promtool"), reason="promtool is not installed")

#: What was scraped for 20 minutes, and which alerts are firing at its end.
FIRING = """
rule_files: [{rules}]
evaluation_interval: 1m
tests:
  - interval: 1m
    input_series:
      - series: 'saga_active{{saga="order", status="stuck", instance="a"}}'
        values: '1x20'
      - series: 'saga_active{{saga="order", status="stuck", instance="b"}}'
        values: '1x20'
      - series: 'saga_stream_group_lag_known{{stream="saga.replies", group="orchestrator"}}'
        values: '1x20'
      - series: 'saga_stream_group_lag{{stream="saga.commands.payment", group="payment"}}'
        values: '5x20'
      - series: 'saga_stream_group_consumers{{stream="saga.commands.payment", group="payment"}}'
        values: '0x20'
      - series: 'saga_stream_group_lag{{stream="saga.events", group="debugging"}}'
        values: '5x20'
      - series: 'saga_started_total{{saga="order", instance="a"}}'
        values: '0+60x20'
      - series: 'saga_ended_total{{saga="order", status="completed", instance="a"}}'
        values: '7x20'
      - series: 'up{{job="saga-participants", instance="a"}}'
        values: '1x20'
      - series: 'up{{job="saga-participants", instance="b"}}'
        values: '0x20'
    alert_rule_test:
      - {{eval_time: 15m, alertname: SagaStuck, exp_alerts: [{{
          exp_labels: {{severity: page, saga: order}},
          exp_annotations: {{summary: "{stuck.says}", description: "{stuck.do}"}}}}]}}
      - {{eval_time: 15m, alertname: SagaParticipantAway, exp_alerts: [{{
          exp_labels: {{severity: page, stream: saga.commands.payment, group: payment}},
          exp_annotations: {{summary: "{away.says}", description: "{away.do}"}}}}]}}
      - {{eval_time: 15m, alertname: SagaNoneEnds, exp_alerts: [{{
          exp_labels: {{severity: page, saga: order}},
          exp_annotations: {{summary: "{idle.says}", description: "{idle.do}"}}}}]}}
      - {{eval_time: 15m, alertname: SagaProcessDown, exp_alerts: [{{
          exp_labels: {{severity: ticket, job: saga-participants}},
          exp_annotations: {{summary: "{down.says}", description: "{down.do}"}}}}]}}
      - {{eval_time: 15m, alertname: SagaNoOrchestrator, exp_alerts: [{{
          exp_labels: {{severity: page}},
          exp_annotations: {{summary: "{none.says}", description: "{none.do}"}}}}]}}
      - {{eval_time: 15m, alertname: SagaLagUnknown, exp_alerts: []}}
"""

FIRED = {
    "stuck": "SagaStuck",
    "away": "SagaParticipantAway",
    "idle": "SagaNoneEnds",
    "down": "SagaProcessDown",
    "none": "SagaNoOrchestrator",
}


def promtool(*arguments: str, given: bytes = b"") -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run(["promtool", *arguments], input=given, capture_output=True, check=False)


def test_the_file_is_what_the_code_says() -> None:
    # Made anew by: python -m orchestrator.metrics.alerts > docs/alerts.yml
    assert RULES.read_text() == as_yaml()


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_an_alert_names_metrics_and_labels_that_there_are(alert: Alert) -> None:
    check(alert.when)


@needs_promtool
def test_prometheus_accepts_the_rules() -> None:
    checked = promtool("check", "rules", str(RULES))
    assert checked.returncode == 0, checked.stderr


@needs_promtool
def test_an_alert_fires_once_however_many_replicas_say_it(tmp_path: Path) -> None:
    fired = {word: next(alert for alert in ALERTS if alert.name == name) for word, name in FIRED.items()}
    tests = tmp_path / "tests.yml"
    tests.write_text(FIRING.format(rules=RULES, **fired))
    tested = promtool("test", "rules", str(tests))
    assert tested.returncode == 0, tested.stdout.decode() + tested.stderr.decode()
