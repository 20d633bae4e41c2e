"""A process of a run lives no longer than the run does."""

import os
import signal
import sys
import threading


def end_with_the_run() -> None:
    """Standard input is a pipe from the run, and nothing is written to it: its end means that the run is gone."""

    def watch() -> None:
        while os.read(sys.stdin.fileno(), 1024):
            pass
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=watch, daemon=True).start()
