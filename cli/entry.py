"""The program `saga`: while the rest is still being loaded, Ctrl-C ends it without a traceback, as it does later."""

import sys

_ENDED_BY_CTRL_C = 130  #: what shells report of such a program


def main() -> None:
    """Load the command line, and run it."""
    try:
        from cli.main import main as run  # noqa: PLC0415

        run()
    except KeyboardInterrupt:
        sys.exit(_ENDED_BY_CTRL_C)
