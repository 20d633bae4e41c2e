"""A saga's history as a space-time diagram, and curves, as SVG: lanes side by side, time downwards."""

from collections.abc import Iterator, Sequence
from html import escape
from itertools import pairwise

from chaos.report.content import Curves, History
from chaos.sim.nemesis import Event

_LANE, _ROW, _TOP, _LEFT, _WORDS = 170, 22, 34, 80, 320
_MOST_EVENTS = 400


def space_time(history: History) -> str:
    """The diagram. Time is told, not drawn to scale: what happens within a millisecond could not be seen."""
    events = list(history.events)[:_MOST_EVENTS]
    lanes = list(dict.fromkeys(event.who for event in sorted(events, key=_lane_order)))
    width, height = _LEFT + _LANE * len(lanes) + _WORDS, _TOP + _ROW * (len(events) + 1)
    parts = [*_shades(events, lanes, height), *_lanes(lanes, height), *_flow(events, lanes), *_marks(events, lanes)]
    return f'<svg viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img">{"".join(parts)}</svg>'


def curve(curves: Curves) -> str:
    """Sagas that ended in each second, with a mark for each fault."""
    if not curves.throughput:
        return ""
    seconds, most = len(curves.throughput), max(1, *curves.throughput)
    width, height = 860, 160
    points = " ".join(
        f"{40 + second * (width - 50) / max(1, seconds - 1):.1f},{height - 20 - ended * (height - 40) / most:.1f}"
        for second, ended in enumerate(curves.throughput)
    )
    strikes = "".join(
        f'<line class="strike" x1="{x:.1f}" x2="{x:.1f}" y1="20" y2="{height - 20}">'
        f"<title>{escape(each.fault.name)} at {each.at_s:.1f} s</title></line>"
        for each in curves.recoveries
        for x in [40 + each.at_s * (width - 50) / max(1, seconds - 1)]
    )
    axis = f'<text x="4" y="24">{most}/s</text><text x="4" y="{height - 22}">0</text>'
    end = f'<text x="{width - 40}" y="{height - 4}">{seconds} s</text>'
    line = f'<polyline class="curve" points="{points}"/>'
    return f'<svg viewBox="0 0 {width} {height}" width="{width}" height="{height}">{strikes}{axis}{end}{line}</svg>'


def _lane_order(event: Event) -> tuple[int, str]:
    who = event.who
    return (0 if who == "run" else 1 if who.startswith("orchestrator") else 2 if who == "bus" else 3, who)


def _x(lanes: Sequence[str], who: str) -> float:
    return _LEFT + _LANE * (lanes.index(who) + 0.5)


def _y(row: int) -> float:
    return _TOP + _ROW * (row + 0.5)


def _lanes(lanes: Sequence[str], height: int) -> Iterator[str]:
    for who in lanes:
        x = _x(lanes, who)
        yield f'<text class="lane" x="{x}" y="18">{escape(who)}</text>'
        yield f'<line class="lane" x1="{x}" x2="{x}" y1="{_TOP - 8}" y2="{height}"/>'


def _flow(events: Sequence[Event], lanes: Sequence[str]) -> Iterator[str]:
    """A line from each thing that was done to the next one, as the message went."""
    done = [(row, event) for row, event in enumerate(events) if not _is_trouble(event)]
    for (row, event), (later_row, later) in pairwise(done):
        yield (
            f'<line class="flow" x1="{_x(lanes, event.who)}" y1="{_y(row)}" '
            f'x2="{_x(lanes, later.who)}" y2="{_y(later_row)}"/>'
        )


def _marks(events: Sequence[Event], lanes: Sequence[str]) -> Iterator[str]:
    for row, event in enumerate(events):
        x, y = _x(lanes, event.who), _y(row)
        kind = "trouble" if _is_trouble(event) else "done"
        about = " ".join(event.about.split("/")[1:])
        said = f"{event.what} {about}" if kind == "trouble" else about or event.what
        yield f'<text class="time" x="{_LEFT - 12}" y="{y + 4}">{event.at_s:.3f}</text>'
        told = escape(f"{event.what} {about}")
        yield f'<circle class="{kind}" cx="{x}" cy="{y}" r="4"><title>{told}</title></circle>'
        yield f'<text class="{kind}" x="{x + 8}" y="{y + 4}">{escape(said[:60])}</text>'


def _shades(events: Sequence[Event], lanes: Sequence[str], height: int) -> Iterator[str]:
    """How long a process was paused or dead, as far as the events tell."""
    for row, event in enumerate(events):
        if event.what == "killed" or event.what.startswith("paused"):
            back = next((n for n, later in enumerate(events) if n > row and later.who == event.who), len(events))
            x, top = _x(lanes, event.who) - 14, _y(row)
            yield f'<rect class="away" x="{x}" y="{top}" width="28" height="{min(_y(back), height) - top}"/>'


def _is_trouble(event: Event) -> bool:
    return event.what not in _QUIET


_QUIET = frozenset({"command", "reply", "orchestrator insert", "orchestrator save", "participant commit", "healed"})
