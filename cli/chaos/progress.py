"""What failure runs look like while they run, on a terminal. Elsewhere, and with --json, nothing of it is shown."""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.text import Text

from chaos.real.looking import Look
from chaos.real.plan import Strike
from chaos.real.setup import Setup
from cli.terminal import Harmless

_STRIKES_SHOWN = 4
_FRAMES_PER_S = 4


@contextmanager
def shown(board: RenderableType, as_json: bool) -> Iterator[bool]:
    """Show the board below everything else as long as this lasts; whether it can be seen."""
    console = Console(stderr=True, highlight=False)
    if as_json or not console.is_terminal:
        yield False
        return
    redirect = sys.stdout.isatty()
    with Live(
        Harmless(board), console=console, transient=True, refresh_per_second=_FRAMES_PER_S, redirect_stdout=redirect
    ):
        yield True


class Campaign:
    """The board of many simulated runs."""

    def __init__(self, title: str, total: int, what: str) -> None:
        """`what`: that there are so many of, as `seeds`."""
        bars = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn(what)
        self._bar = Progress(*bars, TimeElapsedColumn(), TextColumn("left:"), TimeRemainingColumn())
        self._task = self._bar.add_task(title, total=total)
        self._begun = time.monotonic()
        self._sagas = self._struck = self._violations = 0

    def add(self, done: int, sagas: int, struck: int, violations: int) -> None:
        """So many more of each."""
        self._bar.update(self._task, advance=done)
        self._sagas += sagas
        self._struck += struck
        self._violations += violations

    def __rich__(self) -> Group:
        pace = self._sagas / max(0.001, time.monotonic() - self._begun)
        words = f"{self._sagas:,} sagas, {pace:,.0f} a second; {self._struck:,} faults struck; "
        return Group(self._bar, Text(words).append_text(violations_words(self._violations)))


@dataclass
class RealRun:
    """The board of a real run."""

    title: str
    setup: Setup
    violations: int = 0  #: in the runs before it
    look: Look | None = None
    now: Callable[[], float] = time.time

    def __post_init__(self) -> None:
        self._begun = self.now()

    def see(self, look: Look) -> None:
        """How it goes now."""
        self.look = look

    def __rich__(self) -> Group:
        now = self.now()
        head = Text(self.title, "bold").append(f"  {_clock(now - self._begun)}  ", "default")
        if self.look is None:
            return Group(head.append("servers and services are starting", "default"))
        head.append(self.look.phase, "default")
        if self.violations:
            head.append("; before: ", "default").append_text(violations_words(self.violations))
        wanted = sum(fault.times or 1 for fault in self.setup.faults)
        return Group(head, *_sagas(self.look, self.setup.sagas, now), _strikes(self.look.strikes, wanted, now))


def violations_words(count: int) -> Text:
    """How many, in the colour that they deserve."""
    return Text(f"{count:,} {'violation' if count == 1 else 'violations'}", "bold red" if count else "green")


def _sagas(look: Look, wanted: int, now: float) -> Iterator[Text]:
    started = sum(look.statuses.values())
    ended = look.statuses.get("completed", 0) + look.statuses.get("compensated", 0)
    pace = f", {ended / (now - look.begun):.1f} a second" if look.begun and now > look.begun else ""
    kinds = ", ".join(f"{count:,} {status}" for status, count in look.statuses.items() if count)
    yield Text(f"{started:,} of {wanted:,} sagas started, {ended:,} ended{pace}: {kinds or 'none yet'}")
    if look.completed_at is not None:
        yield Text(f"the last one was completed {now - look.completed_at:.1f} s ago")


def _strikes(strikes: Sequence[Strike], wanted: int, now: float) -> Text:
    newest = [f"{each.fault.name} ({each.who}, {now - each.at:.0f} s ago)" for each in strikes[-_STRIKES_SHOWN:]]
    return Text(f"{len(strikes)} of {wanted} faults struck{': ' if newest else ''}{'; '.join(reversed(newest))}")


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
