"""The report as JUnit XML, for build servers: a test case for each invariant, and for each cell of a table."""

from collections.abc import Iterator
from xml.etree import ElementTree as ET

from chaos.checker import INVARIANTS
from chaos.matrix import Verdict
from chaos.report.content import Report


def document(report: Report) -> str:
    """The whole document."""
    cases = list(_cases(report))
    failures = sum(1 for _, failure in cases if failure)
    suite = ET.Element("testsuite", name=report.title, tests=str(len(cases)), failures=str(failures))
    for name, failure in cases:
        case = ET.SubElement(suite, "testcase", classname=report.title, name=name)
        if failure:
            ET.SubElement(case, "failure", message=failure).text = f"{failure}\n{report.repeat}"
    return ET.tostring(suite, encoding="unicode", xml_declaration=True)


def _cases(report: Report) -> Iterator[tuple[str, str]]:
    for table in report.tables:
        for fault, found in table.rows:
            for column, cell in zip(table.columns, found, strict=True):
                if cell is not None:
                    yield f"{table.title}: {fault}, {column}", _words(cell[0])
    for name in (*INVARIANTS, *report.invariants):
        yield name, "\n".join(one for one in report.violations if one.startswith(f"{name}:"))
    for fault in () if report.tables else report.never:  # A table has them.
        yield f"{fault} has struck", "it never did"


def _words(verdict: Verdict) -> str:
    return {Verdict.GREEN: "", Verdict.RED: "something did not hold", Verdict.GREY: "it never struck"}[verdict]
