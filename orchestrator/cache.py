"""A bounded cache of saga states as this process last wrote them.

A stale entry is harmless: every write is guarded by the revision, and a decision from the cache that changes nothing
is taken again from a fresh read.
"""

from collections import OrderedDict
from collections.abc import Iterable

from orchestrator.core.state import SagaState


class StateCache:
    """At most `limit` states, the least recently used ones go first."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._states: OrderedDict[str, SagaState] = OrderedDict()

    def get(self, ids: Iterable[str]) -> dict[str, SagaState]:
        """The states that are here."""
        return {saga_id: self._states[saga_id] for saga_id in ids if saga_id in self._states}

    def put(self, state: SagaState) -> None:
        """Remember a state that was read or written; an ended saga is hardly asked for again."""
        self._states.pop(state.id, None)
        if state.status.ended:
            return
        self._states[state.id] = state
        if len(self._states) > self._limit:
            self._states.popitem(last=False)

    def drop(self, ids: Iterable[str]) -> None:
        """Forget states that somebody else may have changed."""
        for saga_id in ids:
            self._states.pop(saga_id, None)

    def __len__(self) -> int:
        return len(self._states)
