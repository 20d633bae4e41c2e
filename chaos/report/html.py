"""The report as one HTML page: no script, no network, readable in ten years."""

from collections.abc import Iterable, Iterator, Sequence
from html import escape

from chaos.matrix import Verdict
from chaos.report.content import Curves, Report, Verdicts, seconds_words
from chaos.report.drawing import curve, space_time

_MARKS = {Verdict.GREEN: "✔", Verdict.RED: "✘", Verdict.GREY: "·"}

_STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --paper: #fff; --dim: #6a737d; --line: #d0d7de;
  --good: #1a7f37; --bad: #cf222e; --grey: #9a6700; --shade: #cf222e22; --flow: #0969da88; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --paper: #0d1117; --dim: #8b949e; --line: #30363d;
  --good: #3fb950; --bad: #f85149; --grey: #d29922; --shade: #f8514933; --flow: #58a6ff88; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); margin: 2rem }
h1 { font-size: 1.6rem; margin: 0 0 .5rem } h2 { font-size: 1.15rem; margin: 2rem 0 .5rem }
.held { color: var(--good) } .failed { color: var(--bad) } .never { color: var(--grey) }
table { border-collapse: collapse } td, th { padding: .15rem .6rem; text-align: left }
td, th { border-bottom: 1px solid var(--line) }
td { white-space: nowrap }
td.cell { text-align: right; font-variant-numeric: tabular-nums }
.green { color: var(--good) } .red { color: var(--bad); font-weight: bold } .grey { color: var(--grey) }
pre { background: color-mix(in srgb, var(--line) 35%, transparent); padding: .8rem; overflow-x: auto }
.wide { overflow-x: auto }
svg text { font: 11px ui-monospace, monospace; fill: var(--ink) }
svg text.lane { text-anchor: middle; font-weight: bold }
svg text.time { text-anchor: end; fill: var(--dim) } svg text.trouble { fill: var(--bad) }
svg line.lane { stroke: var(--line) } svg line.flow { stroke: var(--flow); stroke-width: 1.5 }
svg circle.done { fill: var(--flow) } svg circle.trouble { fill: var(--bad) } svg rect.away { fill: var(--shade) }
svg .curve { fill: none; stroke: var(--good); stroke-width: 1.5 }
svg .strike { stroke: var(--bad); stroke-dasharray: 3 3 }
"""


def page(report: Report) -> str:
    """The whole page."""
    body = "\n".join(_body(report))
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(report.title)}</title><style>{_STYLE}</style></head>\n<body>\n{body}\n</body></html>\n"
    )


def _body(report: Report) -> Iterator[str]:
    verdict = ("held", "✔ Every invariant held") if report.held else ("failed", "✘ Something did not hold")
    yield f'<h1>{escape(report.title)}</h1><p class="{verdict[0]}"><strong>{verdict[1]}.</strong></p>'
    yield f"<pre>{escape(report.repeat)}</pre>"
    facts = "".join(f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in report.facts.items())
    yield f"<table>{facts}</table>"
    if report.violations:
        items = "".join(f"<li>{escape(one)}</li>" for one in report.violations)
        yield f'<h2>What did not hold</h2><ul class="failed">{items}</ul>'
    if report.never:
        yield f'<p class="never">Never struck, so nothing was shown about: {escape(", ".join(report.never))}.</p>'
    for table in report.tables:
        yield _table(table)
    yield from _run(report)


def _run(report: Report) -> Iterator[str]:
    if report.fired:
        rows = "".join(
            f'<tr><td>{escape(name)}</td><td class="cell">{n:,}</td></tr>' for name, n in report.fired.items()
        )
        yield f"<h2>What struck, and how often</h2><table>{rows}</table>"
    if report.curves is not None:
        yield from _curves(report.curves)
    if report.history is not None:
        yield f"<h2>Saga {escape(report.history.saga_id)}: {escape(report.history.ended)}</h2>"
        yield f'<div class="wide">{space_time(report.history)}</div>'


def _table(table: Verdicts) -> str:
    head = "".join(f"<th>{escape(column)}</th>" for column in table.columns)
    rows = "".join(
        f"<tr><td>{escape(fault)}</td>{''.join(map(_cell, found))}</tr>"
        for fault, found in table.rows
        if any(cell is not None for cell in found)
    )
    return f'<h2>{escape(table.title)}</h2><div class="wide"><table><tr><th>fault</th>{head}</tr>{rows}</table></div>'


def _cell(cell: tuple[Verdict, int] | None) -> str:
    if cell is None:
        return "<td></td>"
    verdict, struck = cell
    return f'<td class="cell {verdict}" title="{verdict}">{_MARKS[verdict]} {struck}</td>'


def _curves(curves: Curves) -> Iterator[str]:
    yield f'<h2>Sagas that ended in each second</h2><div class="wide">{curve(curves)}</div>'
    yield "<h2>From a fault to the next completed saga that began after it</h2>"
    kinds = [
        (cost.kind, str(cost.strikes), *map(seconds_words, (cost.median_s, cost.worst_s, cost.standstill_s)))
        for cost in curves.costs
    ]
    yield _rows(("fault", "strikes", "median", "worst", "longest in which no saga ended"), kinds)
    strikes = [
        (each.fault.name, each.who, f"{each.at_s:.1f} s", seconds_words(each.seconds), seconds_words(each.standstill_s))
        for each in curves.recoveries
    ]
    yield "<h2>Each strike</h2>"
    yield _rows(("fault", "whom", "at", "took", "no saga ended for"), strikes)


def _rows(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of texts; the first column is words, the others are figures."""
    head = "".join(f"<th>{escape(column)}</th>" for column in columns)
    figures = [(row[0], "".join(f'<td class="cell">{escape(cell)}</td>' for cell in row[1:])) for row in rows]
    body = "".join(f"<tr><td>{escape(words)}</td>{cells}</tr>" for words, cells in figures)
    return f'<div class="wide"><table><tr>{head}</tr>{body}</table></div>'
