"""Where output goes: data to stdout, everything else to stderr.

Colours only on a terminal and without NO_COLOR (rich sees to both); what colour says, words say too.
"""

import json
import re
import sys
from contextlib import suppress
from typing import Any, TextIO

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.segment import Segment

_CONTROLS = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]")
_WIDTH_IN_A_PIPE = 200  #: columns: whoever reads a pipe wants whole ids, not a screen


def show(what: RenderableType) -> None:
    """Data for people."""
    _print(what, stdout_console(), sys.stdout)


def show_json(what: Any) -> None:
    """Data for programs: one line of JSON."""
    print(_visible(json.dumps(what, ensure_ascii=False)), flush=True)


def note(message: RenderableType) -> None:
    """Anything that is not the data asked for. Where nobody reads it any more it is lost, and nothing else is."""
    with suppress(OSError):
        _print(message, Console(stderr=True, highlight=False, soft_wrap=True, markup=False), sys.stderr)


def _print(what: RenderableType, console: Console, stream: TextIO) -> None:
    # By way of the stream, not past it: while a bar moves, what is written there appears above it.
    with console.capture() as captured:
        console.print(Harmless(what))
    stream.write(captured.get())
    stream.flush()


class Harmless:
    """What is shown, with an escape for each control character: what others have sent must not drive this terminal."""

    def __init__(self, what: RenderableType) -> None:
        self._what = what

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Rich's own control sequences come as styles, or marked as such."""
        for segment in console.render(self._what, options):
            yield segment if segment.control else Segment(_visible(segment.text), segment.style)


def _visible(text: str) -> str:
    """Escaped as JSON has it, so that JSON stays what it was."""
    return _CONTROLS.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def stdout_console() -> Console:
    """The console of this moment's stdout."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else _WIDTH_IN_A_PIPE)
