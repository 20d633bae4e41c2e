"""deploy/observe: the dashboard asks for metrics that there are, and Prometheus' and Grafana's files fit each other."""

import json
import re
import shutil
import subprocess
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestrator.metrics.alerts import ALERTS
from orchestrator.metrics.dashboard import as_json, queries
from support.promql import check
from support.source import ROOT

OBSERVE = ROOT / "deploy" / "observe"
DASHBOARD = OBSERVE / "grafana" / "dashboards" / "saga.json"
PROVISIONING = OBSERVE / "grafana" / "provisioning"
CONFIGURATION = OBSERVE / "prometheus.yml"


needs_promtool = pytest.mark.skipif(not shutil.which("promtool"), reason="promtool is not installed")


def promtool(*arguments: str) -> None:
    checked = subprocess.run(["promtool", *arguments], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def panels() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(DASHBOARD.read_text())["panels"]
    return found


def test_the_dashboard_is_what_the_code_says() -> None:
    # Made anew by: python -m orchestrator.metrics.dashboard > deploy/observe/grafana/dashboards/saga.json
    assert DASHBOARD.read_text() == as_json()


@pytest.mark.parametrize("query", queries())
def test_a_query_names_metrics_and_labels_that_there_are(query: str) -> None:
    check(query)


def test_each_query_is_a_line_of_some_panel_with_a_legend_that_it_can_have() -> None:
    targets = [target for panel in panels() for target in panel.get("targets", ())]
    assert [target["expr"] for target in targets] == queries()
    for target in targets:
        grouped = {label for each in re.findall(r"by \(([^)]*)\)", target["expr"]) for label in each.split(", ")}
        assert set(re.findall(r"{{(\w+)}}", target["legendFormat"])) <= grouped, target


def test_no_panel_lies_on_another() -> None:
    def cells(at: dict[str, int]) -> set[tuple[int, int]]:
        return {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}

    places = [cells(panel["gridPos"]) for panel in panels()]
    assert not any(one & other for one, other in combinations(places, 2))
    assert all(x < 24 for place in places for x, _ in place)


def test_the_dashboard_finds_its_source_and_grafana_the_dashboard() -> None:
    (source,) = yaml.safe_load((PROVISIONING / "datasources" / "prometheus.yaml").read_text())["datasources"]
    used = {target["datasource"]["uid"] for panel in panels() for target in panel.get("targets", ())}
    assert used == {source["uid"]}
    (provider,) = yaml.safe_load((PROVISIONING / "dashboards" / "saga.yaml").read_text())["providers"]
    assert provider["options"]["path"] == "/etc/grafana/dashboards"


def test_the_alerts_name_jobs_that_are_scraped() -> None:
    jobs = {job["job_name"] for job in yaml.safe_load(CONFIGURATION.read_text())["scrape_configs"]}
    for alert in ALERTS:
        for operator, job in re.findall(r'job(=~|=)"([^"]+)"', alert.when):
            assert any(re.fullmatch(job, each) if operator == "=~" else job == each for each in jobs), alert.name


@needs_promtool
def test_prometheus_can_read_each_query(tmp_path: Path) -> None:
    rules = tmp_path / "queries.yml"
    each = [{"record": f"query_{number}", "expr": query} for number, query in enumerate(queries())]
    rules.write_text(json.dumps({"groups": [{"name": "queries", "rules": each}]}).replace("$__rate_interval", "5m"))
    promtool("check", "rules", str(rules))


@needs_promtool
def test_prometheus_accepts_its_configuration(tmp_path: Path) -> None:
    for file in (CONFIGURATION, ROOT / "docs" / "alerts.yml"):
        shutil.copy(file, tmp_path)
    promtool("check", "config", "--syntax-only", str(tmp_path / CONFIGURATION.name))
