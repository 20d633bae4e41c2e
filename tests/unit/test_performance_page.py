"""docs/performance.md is made from measurements, and true before there are any."""

import json
from pathlib import Path
from typing import Any

from benchmarks.cases import HALF, Size, closed, offered
from benchmarks.figures import machine
from benchmarks.record import GROWTH, LONG, RESULTS
from benchmarks.report import PAGE, PLOT, main, page, stored

PROCESSES = ("mongod", "redis", "orchestrator", "inventory", "payment", "orders")


def run(per_s: float, **given: Any) -> dict[str, Any]:
    found = {"sagas_per_s": per_s, "p50_ms": 20.0, "p99_ms": 90.0, "generator_cpu_ms": 0.1, "conflicts_share": 0.015}
    return found | {"cpu_ms": dict.fromkeys(PROCESSES, 0.5), "rss_mib": dict.fromkeys(PROCESSES, 90.0)} | given


def share(per_s: float, before: float, behind: float) -> dict[str, Any]:
    return run(per_s, against={"name": "another", "before": before, "behind": behind})


def course(until_s: float) -> list[dict[str, Any]]:
    return [{"at_s": at, **dict.fromkeys(PROCESSES, 90.0 + at)} for at in (10.0, 30.0, until_s)]


MACHINE = {
    "cpus": 2,
    "cpu": "a kind",
    "memory_gib": 8.0,
    "system": "Linux 6.1.4-of-somebody",
    "python": "3",
    "mongodb": "6",
    "redis": "9",
}
ABOUT = {"date": "2030-01-01", "machine": MACHINE | {"load_before": [0.1, 0.2, 0.3]}}


def results(**changed: Any) -> dict[str, Any]:
    runs: dict[str, list[dict[str, Any]]] = {"floor": [{"sagas_per_s": per_s} for per_s in (900.0, 1_000.0, 1_500.0)]}
    runs |= {case.name: [run(700.0, orchestrators=case.orchestrators)] for case in closed(Size())}
    runs["engine"] = [share(800.0, 1_000.0, 600.0)]
    runs["batch"] = [
        run(700.0),
        share(600.0, 950.0, 850.0),
        share(800.0, 900.0, 1_100.0),
        share(990.0, 1_000.0, 1_000.0),
    ]
    runs["deployed-batch"] = [share(850.0, 1_000.0, 1_000.0) | {"orchestrators": 2}]
    runs["deployed-post"] = [share(590.0, 1_000.0, 1_000.0) | {"orchestrators": 2}]
    runs["declined-10%"] = [share(700.0, 1_000.0, 1_000.0)]
    runs["orchestrators-4"] = [share(999.4, 1_000.0, 1_000.0)]
    runs["alone"] = [run(60.0, answered_p50_ms=14.0)]
    for case in offered(Size(), 700.0):
        rate = case.load.rate or 0
        told = {"offered_per_s": rate, "reached_per_s": rate, "seconds": case.sagas / rate}
        runs[case.name] = [run(rate, **told, orchestrators=case.orchestrators)]
    runs[f"deployed-{HALF}"][-1]["p99_ms"] = 260.0
    runs[HALF][-1]["course_mib"] = course(60.0)
    return ABOUT | {"runs": runs | changed}


def growth() -> dict[str, Any]:
    looks = {"median": 2.0, "most": 3.0, "items": 0}
    lists = {"none": looks, "saga": looks | {"median": 4.0}, "q, many": {"median": 20.0, "most": 24.0, "items": 50}}
    cost = run(1_278.0, ended=0, active=0, lists_ms=lists)
    took = {"seconds": 150.0, "none_due_after_s": 98.2, "messages_per_saga": 11.0, "resent_per_saga": 1.009}
    drained = {**took, "most_rss_mib": dict.fromkeys(PROCESSES, 138.0)}
    costs = [cost, cost | {"ended": 1_000}, cost | {"ended": 1_000, "active": 200}]
    due, backlog = {"due": 300, **drained}, {"backlog": 400, **drained, "none_due_after_s": None}
    return ABOUT | {"sagas": 4_000, "in_flight": 400, "costs": costs, "due": due, "backlog": backlog}


def test_the_page_is_what_the_newest_results_say() -> None:
    assert PAGE.read_text() == page(stored(RESULTS), stored(GROWTH), stored(LONG))
    assert PLOT.exists() == (stored(RESULTS) is not None)


def test_it_says_what_it_was_measured_on() -> None:
    named = MACHINE | {"redis_server": "redis", "load_before": [0.1]}

    assert "Linux 6.1.4, Python 3, MongoDB 6, Redis 9." in machine(named)
    assert "Python 3 (a thousand small objects made and asked: 148 µs), MongoDB" in machine(
        named | {"python_loop_us": 148}
    )
    assert "Valkey 9." in page(results(), None, None)


def test_a_page_without_results_says_so() -> None:
    told = page(None, None, None)

    assert "No results have been recorded yet. The goals" in told
    assert "## As it grows\n\nNo results have been recorded yet." in told


def test_each_goal_is_judged_by_the_median() -> None:
    told = page(results(), None, None)

    assert "in one process, without HTTP | 100.0% | reached |" in told
    assert "10 % of the payments are declined | 70.0% | not reached |" in told
    assert "four orchestrators are no slower than one | 99.9% | not reached |" in told
    assert "of their saves to each other | 1.5% | not reached |" in told
    deployed = "| the same with two orchestrators, as in `compose.yaml` |"
    assert f"each service a process | 80.0% (66.7% to 99.0%) | reached |\n{deployed} 85.0% | reached |" in told
    assert f"{deployed} 59.0% | not reached |" in told
    assert f"p99 at half load below 250 ms | 90.0 | reached |\n{deployed} 260 | not reached |" in told
    assert "below 15 ms | 14.0 | reached |" in told


def test_a_share_is_of_the_mean_of_what_came_right_before_and_right_behind() -> None:
    told = page(results(), None, None)

    assert "each service a process | 80.0% (66.7% to 99.0%) | reached |" in told


def test_every_measurement_stands_on_the_page_with_its_spread() -> None:
    told = page(results(), None, None)

    assert "| floor | 3 | 1,000 (900 to 1,500) |" in told
    assert "| in batches, 1024 in flight | 1 | 700 |" in told
    assert "| 1 | 350 | 65.0 | 350 | 20.0 | 90.0 |\n| 2 | 350 | 65.0 | 350 | 20.0 | 260 |" in told
    assert "| orchestrator | 0.50 | 90.0 | 100, 150, 150 | +60.00 |" in told
    assert "| in batches over HTTP, two orchestrators | 1 | 850 |" in told
    assert "done again, at half load, two orchestrators: 1.5% of all saves." in told
    assert "done again, in batches over HTTP, two orchestrators: 1.5% of all saves." in told
    assert "done again, in batches over HTTP: " not in told


def test_what_waits_for_nobody_is_no_throughput() -> None:
    throughput = page(results(), None, None).partition("### Throughput")[2].partition("###")[0]

    assert "in batches over HTTP" in throughput
    assert "half load" not in throughput


def test_what_grows_is_told_by_its_own_newest_results() -> None:
    told = page(None, growth(), results(**{HALF: [run(350.0, reached_per_s=350.0, sagas=9, course_mib=course(600.0))]}))

    assert "| nothing | 1,278 | 90.0 | 0.50 | 4.0, 3.0 | 20.0, 24.0 |" in told
    assert "| 1,000 that have ended, and 200 that wait | 1,278 |" in told
    assert "**300 timers due at once**: all sagas had ended after 150 s, no timer was overdue after 98.2. " in told
    assert "**A backlog of 400 commands**, because participants were away: all sagas had ended after 150 s. " in told
    assert "A saga took 11.00 messages, 1.01 of them commands that were sent again." in told
    assert "**Memory over 10 minutes** at half load, measured on 2030-01-01:\n9 sagas, 350 a second" in told
    assert "| orchestrator | 100, 690, 690 | +60.00 |" in told


def test_what_failed_is_no_number_and_is_told() -> None:
    told = page(results(hot=[{"failed": "12 sagas do not end"}], engine=[{"failed": "no memory"}]), None, None)

    assert "| everybody wants the same product | 1 | - | - | - | - |" in told
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
