"""Ctrl-C and SIGTERM: the first asks everything to end in order, the second ends this process at once."""

import asyncio
import os
import signal

from cli.terminal import note

_ENDED_AT_ONCE = 130  #: what shells report of a process that Ctrl-C has ended


class Stopping:
    """Whether this process has been asked to end. Made inside the event loop."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._asked = asyncio.Event()
        self._quiet = quiet
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, self._ask)

    @property
    def asked(self) -> bool:
        """Whether it is time to end."""
        return self._asked.is_set()

    async def wait(self, at_most_s: float | None = None) -> bool:
        """Wait for the signal, or that long; whether it has come."""
        try:
            async with asyncio.timeout(at_most_s):
                await self._asked.wait()
        except TimeoutError:
            return False
        return True

    def _ask(self) -> None:
        if self.asked:
            # Children see their supervisor's end by themselves, databases are adopted by whoever comes next.
            os._exit(_ENDED_AT_ONCE)
        self._asked.set()
        if not self._quiet:
            note("\nEnding; Ctrl-C again ends at once.")
