"""A `saga` process that lives no longer than its supervisor: `python -m cli.child COMMAND …`.

Its standard input is a pipe from the supervisor. The pipe's end means that the supervisor is gone, however it went;
no signal can promise that.
"""

import os
import signal
import sys
import threading
import time

from cli.main import main

_GRACE_S = 10.0  #: for an orderly end; then it ends anyhow


def _end_with_supervisor() -> None:
    while os.read(sys.stdin.fileno(), 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_GRACE_S)
    os._exit(1)


if __name__ == "__main__":
    threading.Thread(target=_end_with_supervisor, daemon=True).start()
    main()
