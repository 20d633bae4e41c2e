"""Reports: what runs have shown, on one page that needs nothing else, and for build servers."""

import re
from pathlib import Path
from xml.etree import ElementTree as ET

from chaos.checker import INVARIANTS
from chaos.faults import BY_NAME
from chaos.matrix import Verdict
from chaos.real.catalogue import BY_NAME as BY_REAL_NAME
from chaos.real.recovery import Recovery, costs
from chaos.report.content import Curves, Report, verdicts
from chaos.report.html import page
from chaos.report.junit import document
from chaos.report.write import write
from chaos.scenario import Scenario
from chaos.sim.run import run
from chaos.story import history_of
from sagas.order import order

KILLED = BY_NAME["kill after participant commit"]


def some_report(**changes: object) -> Report:
    result = run(Scenario(sagas=2, faults=({"fault": KILLED.name, "times": 1},)).setup(order), 0)  # type: ignore[arg-type]
    usual = {
        "title": "A run",
        "held": True,
        "repeat": "saga chaos run --seed 0",
        "facts": {"seed": "0"},
        "fired": {KILLED.name: 1},
        "history": history_of(result),
    }
    return Report(**{**usual, **changes})  # type: ignore[arg-type]


def test_the_page_needs_nothing_from_anywhere() -> None:
    shown = page(some_report())

    assert "✔ Every invariant held" in shown
    assert not re.search(r"https?://|<script|src=|url\(|@import", shown)


def test_the_page_draws_a_saga_and_what_befell_it() -> None:
    shown = page(some_report())

    assert "<svg" in shown
    assert "reserve-stock action" in shown
    assert f"{KILLED.name}" in shown
    assert 'class="away"' in shown, "how long the process was dead is shaded"


def test_whatever_is_told_stays_text() -> None:
    shown = page(some_report(title="<b>&", violations=["<script>alert(1)</script>"], held=False))

    assert "<title>&lt;b&gt;&amp;</title>" in shown
    assert "<script>" not in shown
    assert "✘ Something did not hold" in shown


def test_curves_show_the_faults_and_the_recovery_of_a_real_run() -> None:
    flush = BY_REAL_NAME["flush Redis"]
    strikes = [Recovery(flush, "Redis", 1.0, 1.5, 0.75), Recovery(flush, "Redis", 2.0, None, 2.25)]

    shown = page(some_report(curves=Curves([3, 0, 5], strikes, costs(strikes))))

    assert 'class="curve"' in shown
    assert "<title>flush Redis at 2.0 s</title>" in shown
    for row in (["2", "1.5 s", "never", "2.2 s"], ["Redis", "1.0 s", "1.5 s", "0.8 s"]):
        assert f"<td>flush Redis</td>{''.join(f'<td class=cell>{cell}</td>' for cell in row)}" in shown.replace('"', "")


def test_each_invariant_is_a_test_case_and_a_fault_that_never_struck_fails() -> None:
    report = some_report(held=False, violations=["every saga ends: has not ended (saga one)"], never=["flush reply"])

    suite = ET.fromstring(document(report))  # noqa: S314 - our own text

    failed = {case.get("name") for case in suite.iter("testcase") if case.find("failure") is not None}
    assert failed == {"every saga ends", "flush reply has struck"}
    assert suite.get("failures") == "2"


def test_each_cell_of_a_table_is_a_test_case_beside_the_invariants_also_the_users_own() -> None:
    table = verdicts(order, {0: (Verdict.GREEN, 3), 1: (Verdict.GREY, 0), 2: (Verdict.RED, 1)})

    report = some_report(tables=[table], never=["x"], invariants=["all is well"], violations=["all is well: it is not"])
    suite = ET.fromstring(document(report))  # noqa: S314 - our own text

    cells = [case for case in suite.iter("testcase") if str(case.get("name")).startswith("order, version 1: ")]
    assert (len(cells), sum(case.find("failure") is not None for case in cells)) == (3, 2)
    assert suite.get("tests") == str(len(cells) + len(INVARIANTS) + 1)
    assert [case.get("name") for case in suite.iter("testcase") if "it is not" in ET.tostring(case, "unicode")] == [
        "all is well"
    ]


def test_both_are_written(tmp_path: Path) -> None:
    written = write(some_report(), tmp_path / "new")

    assert written.name == "report.html"
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["junit.xml", "report.html"]
