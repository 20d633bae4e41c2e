"""Writes a report into a directory: `report.html` and `junit.xml`."""

from pathlib import Path

from chaos.report.content import Report
from chaos.report.html import page
from chaos.report.junit import document


def write(report: Report, directory: Path) -> Path:
    """Write it; the page's path."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "junit.xml").write_text(document(report), encoding="utf-8")
    path = directory / "report.html"
    path.write_text(page(report), encoding="utf-8")
    return path
