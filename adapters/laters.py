"""Entries whose verdict is not known yet: who reads goes on meanwhile, and nobody loses sight of them."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from adapters.bus import Delivery, Later


class Laters:
    """Those of one reader, by the ids of their entries."""

    def __init__(self) -> None:
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self.again: set[str] = set()  #: ids of those that had been delivered before

    def __len__(self) -> int:
        return len(self._tasks)

    @property
    def ids(self) -> set[str]:
        """The entries' ids."""
        return set(self._tasks)

    @property
    def tasks(self) -> set[asyncio.Task[None]]:
        """One for each; cancelling it cancels what it waits for."""
        return set(self._tasks.values())

    def add(
        self, of: Delivery, later: Later, settling: Callable[[], Coroutine[Any, Any, None]], known: Callable[[], None]
    ) -> None:
        """Settle the entry once its verdict is known, then call `known`, whatever has become of it.

        Of one that is here already, because a group that was made again has delivered it anew, the first counts.
        """
        entry_id = of.entry_id
        if entry_id in self._tasks:
            later.verdict.cancel()
            return
        if of.redelivered:
            self.again.add(entry_id)

        def over(task: asyncio.Task[None]) -> None:
            if task.cancelled():  # Maybe before it had begun to wait.
                later.verdict.cancel()
            del self._tasks[entry_id]
            self.again.discard(entry_id)
            known()

        task = self._tasks[entry_id] = asyncio.create_task(settling())
        task.add_done_callback(over)

    async def one(self) -> None:
        """Until one of them is known."""
        await asyncio.wait(self.tasks, return_when=asyncio.FIRST_COMPLETED)
