"""Tasks that have to end."""

import asyncio
from collections.abc import Collection
from typing import Any

AGAIN_S = 1.0  #: for which a task may clean up


async def end(tasks: Collection[asyncio.Task[Any]], again_s: float = AGAIN_S) -> None:
    """Cancel them until they have ended, whatever they raise; once more after each `again_s`.

    Before Python 3.12 once is not enough: `asyncio.wait_for`, by which redis-py waits, loses a cancellation that comes
    when what it waits for is done. See https://github.com/python/cpython/issues/86296.
    """
    left = {task for task in tasks if not task.done()}
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=again_s)
    for task in tasks:
        if not task.cancelled():
            task.exception()  # Nobody else asks for it.
