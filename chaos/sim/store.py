"""The saga store as one simulated orchestrator reaches it."""

from collections.abc import Sequence
from datetime import datetime

from adapters.errors import Conflict
from chaos.faults import Point, Subject
from chaos.sim.process import Process
from orchestrator.core.state import SagaState
from orchestrator.documents import Change, Past
from orchestrator.listed import Page, Query
from orchestrator.memory_store import MemorySagaStore
from orchestrator.shares import WHOLE, Share
from orchestrator.store import InFlight


class SimStore:
    """Implements `orchestrator.store.SagaStore` on a store that all orchestrators share."""

    def __init__(self, process: Process, shared: MemorySagaStore) -> None:
        self._process = process
        self._shared = shared

    async def insert(self, states: Sequence[SagaState]) -> Sequence[SagaState | None]:
        return await self._process.touch(Point.INSERT, awaited(states), lambda: self._shared.insert(states))

    async def load(self, ids: Sequence[str]) -> dict[str, SagaState]:
        known = [self._shared.sagas[saga_id] for saga_id in ids if saga_id in self._shared.sagas]
        return await self._process.touch(Point.LOAD, awaited(known), lambda: self._shared.load(ids))

    async def history(self, saga_id: str) -> Past | None:
        await self._process.sleep(0)
        return await self._shared.history(saga_id)

    async def save(self, changes: Sequence[Change]) -> set[str]:
        try:
            return await self._process.touch(Point.SAVE, changed(changes), lambda: self._shared.save(changes))
        except Conflict:
            return set()

    async def reschedule(self, moves: Sequence[tuple[SagaState, SagaState]]) -> None:
        subjects = awaited([before for before, _ in moves])
        await self._process.touch(Point.RESCHEDULE, subjects, lambda: self._shared.reschedule(moves))

    async def due(self, now: datetime, limit: int, share: Share = WHOLE) -> list[SagaState]:
        found = await self._shared.due(now, limit, share)
        if found:
            await self._process.sleep(0)  # What was read may be old by the time that it is used.
        return found

    async def awaiting(self, after: SagaState | None, limit: int, until: datetime) -> list[SagaState]:
        await self._process.sleep(0)
        return await self._shared.awaiting(after, limit, until)

    async def page(self, query: Query) -> Page:
        await self._process.sleep(0)
        return await self._shared.page(query)

    async def count_active(self, limit: int) -> int:
        await self._process.sleep(0)
        return await self._shared.count_active(limit)

    async def in_flight(self) -> Sequence[InFlight]:
        await self._process.sleep(0)
        return await self._shared.in_flight()

    async def ping(self) -> None:
        await self._process.sleep(0)


def awaited(states: Sequence[SagaState]) -> list[Subject]:
    """The commands that these sagas wait for."""
    return [Subject.of(pending.command_id) for state in states for pending in state.pending]


def changed(changes: Sequence[Change]) -> list[Subject]:
    """The commands that a save sends, and those whose replies it applies."""
    done = [
        Subject(change.after.id, each.step or "", each.kind.value if each.kind else "")
        for change in changes
        for each in change.transitions
    ]
    return done + awaited([change.after for change in changes])
