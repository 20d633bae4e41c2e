"""Who waits in this process for a saga to end: a saga that ends here wakes them at once."""

import asyncio
from collections import defaultdict

from orchestrator.core.state import SagaState


class Waiters:
    """Futures by saga id."""

    def __init__(self) -> None:
        self._futures: defaultdict[str, set[asyncio.Future[SagaState]]] = defaultdict(set)

    def tell(self, state: SagaState) -> None:
        """A saga has changed."""
        if not state.status.ended:
            return
        for future in self._futures.pop(state.id, ()):
            if not future.done():
                future.set_result(state)

    async def wait(self, saga_id: str, timeout_s: float) -> SagaState | None:
        """The saga's end if it comes about in this process within the time; else None."""
        future: asyncio.Future[SagaState] = asyncio.get_running_loop().create_future()
        self._futures[saga_id].add(future)
        try:
            async with asyncio.timeout(timeout_s):
                return await future
        except TimeoutError:
            return None
        finally:
            self._futures[saga_id].discard(future)
            if not self._futures[saga_id]:
                del self._futures[saga_id]
