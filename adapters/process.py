"""What a process needs that serves many: its event loop, a garbage collector that is not always at work, and files.

For programs, once, before the event loop runs; never for a library's users.
"""

import asyncio
import contextlib
import gc
import os
import signal
from collections.abc import Coroutine, Iterator
from typing import Any, TypeVar

T = TypeVar("T")

GC_THRESHOLD = (100_000, 10, 10)  #: above what is in hand at once, which dies by itself: it would be looked at in vain
OPEN_FILES = 65_536  #: each connection is one; a common default of 1,024 is soon used up by idle clients


PLANNED_FAULTS = "SAGA_CHAOS_PLAN"  #: where a failure-injection run tells its own processes what is to strike


class PlannedFaults(ValueError):
    """The environment belongs to a failure-injection run, and this program is none of its processes."""


def refuse_planned_faults() -> None:
    """No service works where somebody has planned its faults. Raises `PlannedFaults`."""
    if PLANNED_FAULTS in os.environ:
        raise PlannedFaults(
            f"{PLANNED_FAULTS} is set: it plans faults for a failure-injection run, which starts its processes itself. "
            f"Unset {PLANNED_FAULTS} and start again."
        )


def run(main: Coroutine[Any, Any, T]) -> T:
    """`asyncio.run` in a tuned process, on uvloop where there is one. Raises what `main` raises, or `PlannedFaults`."""
    try:
        refuse_planned_faults()
    except PlannedFaults:
        main.close()
        raise
    return run_tuned(main)


def run_tuned(main: Coroutine[Any, Any, T]) -> T:
    """`run`, in whatever environment."""
    tune()
    try:
        import uvloop  # noqa: PLC0415 - not on every platform
    except ImportError:
        return asyncio.run(main)
    return uvloop.run(main)


def tune() -> None:
    """Collect garbage less often (an eighth of the time of a saga went there), and allow more open files."""
    gc.collect()
    gc.freeze()  # What was imported stays.
    gc.set_threshold(*GC_THRESHOLD)
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource  # noqa: PLC0415 - not on every platform

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
        if soft != resource.RLIM_INFINITY and soft < wanted:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


@contextlib.contextmanager
def stopping_on_signals(stop: asyncio.Event) -> Iterator[None]:
    """SIGTERM and SIGINT set `stop`; afterwards they do what they did before."""
    loop = asyncio.get_running_loop()
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    for number in before:
        loop.add_signal_handler(number, stop.set)
    try:
        yield
    finally:
        for number, handler in before.items():
            loop.remove_signal_handler(number)
            signal.signal(number, handler)
