"""docs/performance.md is made from measurements, and true before there are any."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from benchmarks.cases import QUICK, Size, closed, offered
from benchmarks.report import PAGE, PLOT, main, newest, page

PROCESSES = ("mongod", "redis", "orchestrator", "inventory", "payment", "orders")


def run(per_s: float, **given: Any) -> dict[str, Any]:
    found = {"sagas_per_s": per_s, "p50_ms": 20.0, "p99_ms": 90.0, "generator_cpu_ms": 0.1, "conflicts_share": 0.015}
    return found | {"cpu_ms": dict.fromkeys(PROCESSES, 0.5), "rss_mib": dict.fromkeys(PROCESSES, 90.0)} | given


def results(**changed: Any) -> dict[str, Any]:
    runs: dict[str, list[dict[str, Any]]] = {"floor": [{"sagas_per_s": per_s} for per_s in (900.0, 1_000.0, 1_500.0)]}
    runs["engine"] = [{"sagas_per_s": 800.0, "p50_ms": 300.0, "p99_ms": 400.0}]
    runs |= {case.name: [run(700.0)] for case in closed(Size())}
    runs["alone"] = [run(60.0, answered_p50_ms=14.0)]
    for case in offered(Size(), 700.0):
        runs[case.name] = [run(case.load.rate or 0, offered_per_s=case.load.rate, reached_per_s=case.load.rate)]
    samples = [{"at_s": at, **dict.fromkeys(PROCESSES, 90.0 + at)} for at in (10.0, 30.0, 60.0)]
    runs["memory"] = [run(350.0, rss_mib=samples)]
    machine = {"cpus": 2, "cpu": "a kind", "memory_gib": 8.0, "system": "Linux", "python": "3", "mongodb": "6"}
    about = machine | {"redis": "9", "load_before": [0.1, 0.2, 0.3]}
    return {"date": "2030-01-01", "machine": about, "size": {"rounds": 3}, "runs": runs | changed}


def test_the_page_is_what_the_newest_results_say() -> None:
    file = newest()
    assert PAGE.read_text() == page(None if file is None else json.loads(file.read_text()))
    assert PLOT.exists() == (file is not None)


def test_each_goal_is_judged_by_medians() -> None:
    told = page(results())

    assert "in one process, without HTTP | 89% | reached |" in told  # Of the first round's floor.
    assert "each service a process | 78% | reached |" in told
    assert "10 % of the payments are declined | 100% | reached |" in told
    assert "four orchestrators are no slower than one | 100% | reached |" in told
    assert "of their saves to each other | 1.5% | not reached |" in told
    assert "p99 at half load below 250 ms | 90.0 | reached |" in told
    assert "below 15 ms | 14.0 | reached |" in told


def test_every_measurement_stands_on_the_page_with_its_spread() -> None:
    told = page(results())

    assert "| floor | 1,000 (900 to 1,500) |" in told
    assert "| in batches, 1024 in flight | 700 |" in told
    assert "| 350 | 350 | 20.0 | 90.0 |" in told
    assert "| orchestrator | 0.50 | 90.0 | 100, 150, 150 | +60.00 |" in told
    assert "With 2 orchestrators 1.5% of all saves" in told


def test_what_failed_is_no_number_and_is_told() -> None:
    told = page(results(hot=[{"failed": "12 sagas do not end"}], engine=[{"failed": "no memory"}]))

    assert "| everybody wants the same product | - | - | - | - |" in told
    assert "in one process, without HTTP | - | not measured |" in told
    assert "- hot: 12 sagas do not end" in told


def test_page_and_plot_are_written_and_the_same_each_time(tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    file.write_text(json.dumps(results()))

    plots = []
    for _ in range(2):
        main([str(file), "--to", str(tmp_path)])
        plots.append((tmp_path / PLOT.name).read_text())

    assert plots[0] == plots[1]
    assert plots[0].lstrip().startswith("<?xml")
    assert "(performance.svg)" in (tmp_path / PAGE.name).read_text()


@pytest.mark.parametrize("size", [Size(), QUICK])
def test_orchestrators_are_only_added_on_the_way(size: Size) -> None:
    assert all(one.orchestrators <= other.orchestrators for one, other in pairwise(closed(size)))
