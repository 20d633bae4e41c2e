"""Where output goes: data to stdout, everything else to stderr.

Colours only on a terminal and without NO_COLOR (rich sees to both); what colour says, words say too.
"""

import json
import sys
from typing import Any, TextIO

from rich.console import Console, RenderableType

_WIDTH_IN_A_PIPE = 200  #: columns: whoever reads a pipe wants whole ids, not a screen


def show(what: RenderableType) -> None:
    """Data for people."""
    _print(what, stdout_console(), sys.stdout)


def show_json(what: Any) -> None:
    """Data for programs: one line of JSON."""
    print(json.dumps(what, ensure_ascii=False), flush=True)


def note(message: RenderableType) -> None:
    """Anything that is not the data asked for."""
    _print(message, Console(stderr=True, highlight=False, soft_wrap=True, markup=False), sys.stderr)


def _print(what: RenderableType, console: Console, stream: TextIO) -> None:
    # By way of the stream, not past it: while a bar moves, what is written there appears above it.
    with console.capture() as captured:
        console.print(what)
    stream.write(captured.get())
    stream.flush()


def stdout_console() -> Console:
    """The console of this moment's stdout."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else _WIDTH_IN_A_PIPE)
