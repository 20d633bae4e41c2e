"""The in-memory twin of the saga store, for tests and simulated failure runs. Same contract suite as MongoDB's."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from adapters.errors import Unavailable
from orchestrator.core.state import SagaState, Transition
from orchestrator.documents import HISTORY_LIMIT, Change, Past, kept
from orchestrator.listed import Page, Place, Query
from orchestrator.memory_changes import MemoryChangeFeed
from orchestrator.shares import WHOLE, Share
from orchestrator.store import InFlight
from sagas.values import replace


class MemorySagaStore:
    """Sagas in a dictionary. `away` makes every call raise `Unavailable`."""

    def __init__(self) -> None:
        self.sagas: dict[str, SagaState] = {}
        self._histories: dict[str, tuple[Transition, ...]] = {}
        self.away = False
        self.changes = MemoryChangeFeed(lambda: self.away)

    async def insert(self, states: Sequence[SagaState]) -> Sequence[SagaState | None]:
        self._answer()
        return [self._insert(state) for state in states]

    def _insert(self, state: SagaState) -> SagaState | None:
        there = self.sagas.setdefault(state.id, state)
        if there is not state:
            return there
        self.changes.append(state, [state.last])
        return None

    async def load(self, ids: Sequence[str]) -> dict[str, SagaState]:
        self._answer()
        return {saga_id: self.sagas[saga_id] for saga_id in ids if saga_id in self.sagas}

    async def history(self, saga_id: str) -> Past | None:
        self._answer()
        state = self.sagas.get(saga_id)
        return None if state is None else Past(state, self._history(state))

    async def save(self, changes: Sequence[Change]) -> set[str]:
        self._answer()
        return {change.after.id for change in changes if self._save(change)}

    def _save(self, change: Change) -> bool:
        there = self.sagas.get(change.before.id)
        if there is None or there.revision != change.before.revision:
            return False
        self.sagas[there.id] = _keeping_earlier_wake_up(there, change.after)
        before = self._history(there)[: -1 if change.folded else None]
        self._histories[there.id] = (*before, *change.transitions)[-kept(change) :]
        self.changes.append(change.after, change.transitions[-HISTORY_LIMIT:])
        return True

    def _history(self, state: SagaState) -> tuple[Transition, ...]:
        return self._histories.get(state.id, (state.last,))

    async def reschedule(self, moves: Sequence[tuple[SagaState, SagaState]]) -> None:
        self._answer()
        for before, after in moves:
            there = self.sagas[before.id]
            if (there.revision, there.wake_at) == (before.revision, before.wake_at):
                self.sagas[before.id] = after

    async def due(self, now: datetime, limit: int, share: Share = WHOLE) -> list[SagaState]:
        self._answer()
        due = [(state.wake_at, state.id) for state in self.sagas.values() if state.wake_at and state.wake_at <= now]
        return sorted((self.sagas[saga_id] for saga_id in share.choose(due, now, limit)), key=_by_wake_up)

    async def awaiting(self, after: SagaState | None, limit: int, until: datetime) -> list[SagaState]:
        self._answer()
        found = [
            state for state in self.sagas.values() if state.pending and state.wake_at and state.updated_at <= until
        ]
        behind = [state for state in found if after is None or _by_wake_up(state) > _by_wake_up(after)]
        return sorted(behind, key=_by_wake_up)[:limit]

    async def page(self, query: Query) -> Page:
        self._answer()
        prefix = query.prefix or ""
        listed = sorted((state for state in self.sagas.values() if _matches(state, query)), key=_place, reverse=True)
        until = None
        if sum(saga_id.startswith(prefix) for saga_id in self.sagas) > query.most and prefix:
            until = _place(listed[query.most - 1]) if len(listed) >= query.most else None
            listed = listed[: query.most]
        found = [state for state in listed if state.id.startswith(prefix)]
        shown = found[: query.limit]
        return Page(shown, _place(shown[-1]) if len(found) > query.limit else until)

    async def count_active(self, limit: int) -> int:
        self._answer()
        return min(limit, sum(state.wake_at is not None for state in self.sagas.values()))

    async def in_flight(self) -> Sequence[InFlight]:
        self._answer()
        states = [state for state in self.sagas.values() if not state.status.ended]
        counts = Counter((state.saga, state.version, state.fingerprint) for state in states)
        return [InFlight(*definition, count) for definition, count in counts.items()]

    async def ping(self) -> None:
        self._answer()

    def _answer(self) -> None:
        if self.away:
            raise Unavailable("the store is away")


def _keeping_earlier_wake_up(there: SagaState, after: SagaState) -> SagaState:
    if after.wake_at is None or there.wake_at is None:
        return after
    return replace(after, wake_at=min(after.wake_at, there.wake_at))


def _by_wake_up(state: SagaState) -> tuple[datetime, str]:
    assert state.wake_at is not None, "only sagas with a timer are asked for"
    return state.wake_at, state.id


def _place(state: SagaState) -> Place:
    return state.created_at, state.id


def _matches(state: SagaState, query: Query) -> bool:
    """Whatever its id begins with."""
    return (
        query.saga in (None, state.saga)
        and query.status in (None, state.status)
        and (query.since is None or state.created_at >= query.since)
        and (query.after is None or _place(state) < query.after)
    )
