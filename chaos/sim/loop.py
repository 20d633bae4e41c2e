"""An event loop on which time passes only while nothing can be done, and then at once.

Whatever uses the loop's clock (`asyncio.sleep`, `timeout`, `wait_for`) runs on it unchanged. There is no I/O on it, and
nothing that it runs may depend on anything outside: so the same program does the same things in the same order.
"""

import asyncio
import selectors
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

EPOCH = datetime(2030, 1, 1, tzinfo=UTC)  #: when every simulated run begins


class Stalled(Exception):
    """Everything waits for something that nothing is going to cause."""


class VirtualLoop(asyncio.SelectorEventLoop):
    """The loop. `time()` begins at zero."""

    def __init__(self) -> None:
        self._clock = _Selector()
        super().__init__(self._clock)

    def time(self) -> float:
        """Seconds since the run began."""
        return self._clock.now_s


class _Selector(selectors.BaseSelector):
    """Waits for nothing: whoever asks it to wait is told that the time has passed."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self._keys: dict[Any, selectors.SelectorKey] = {}

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        key = selectors.SelectorKey(fileobj, fileobj if isinstance(fileobj, int) else fileobj.fileno(), events, data)
        self._keys[fileobj] = key
        return key

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._keys.pop(fileobj)

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise Stalled
        self.now_s += max(0.0, timeout)
        return []

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._keys


class VirtualClock:
    """Implements `adapters.clock.Clock` on a loop; it may be fast or slow against the others by some seconds."""

    def __init__(self, loop: asyncio.AbstractEventLoop, skew_s: float = 0.0) -> None:
        self._loop = loop
        self._skew_s = skew_s

    def now(self) -> datetime:
        """The simulated time, cut to the millisecond."""
        return EPOCH + timedelta(milliseconds=int((self._loop.time() + self._skew_s) * 1000))

    async def sleep(self, seconds: float) -> None:
        """Wait on the loop's clock."""
        await asyncio.sleep(seconds)
