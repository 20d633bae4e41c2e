"""The points of real processes: wrappers around the ports of the product, which knows nothing of faults."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar

from adapters.bus import Delivery, Entry
from adapters.clock import Clock
from adapters.errors import Unavailable
from adapters.streams.redis_bus import RedisBus
from chaos.faults import Point, Subject, What
from chaos.real.sent import Sent
from chaos.real.striker import PlannedFailure, Striker
from chaos.sim.bus import subject_of
from chaos.sim.store import awaited, changed
from orchestrator.core.state import SagaState
from orchestrator.documents import Change, Past
from orchestrator.listed import Page, Query
from orchestrator.shares import WHOLE, Share
from orchestrator.store import InFlight, SagaStore
from participants.barrier import Row
from participants.context import BatchTransaction, Context
from participants.handlers import Mode
from participants.inbox import Body, Inbox, InboxTransaction
from participants.participant import Participant

T = TypeVar("T")
Handler = Callable[[Any, Any], Awaitable[Any]]


def watch(bus: RedisBus, striker: Striker, sent: Sent, publish: Point, acknowledge: Point) -> None:
    """Faults at everything that the bus publishes and acknowledges; what it has published is counted."""

    def publishing(entries: Sequence[Entry]) -> Callable[[Sequence[Unavailable | None]], None]:
        subjects = [subject_of(entry.fields) for entry in entries]
        striker.strike(publish, subjects)

        def published(results: Sequence[Unavailable | None]) -> None:
            sent.note(entries, results)
            striker.strike(publish, subjects, after=True)

        return published

    def settling(deliveries: Sequence[Delivery]) -> Callable[[], None]:
        subjects = [subject_of(delivery.fields) for delivery in deliveries]
        striker.strike(acknowledge, subjects)

        def settled() -> None:
            striker.strike(acknowledge, subjects, after=True)

        return settled

    bus.watch(publishing)
    bus.watch_settling(settling)


class StruckStore:
    """Implements `orchestrator.store.SagaStore` on the orchestrator's own."""

    def __init__(self, store: SagaStore, striker: Striker) -> None:
        self._store = store
        self._striker = striker

    async def insert(self, states: Sequence[SagaState]) -> Sequence[SagaState | None]:
        return await self._striker.touch(Point.INSERT, awaited(states), lambda: self._store.insert(states))

    async def load(self, ids: Sequence[str]) -> dict[str, SagaState]:
        return await self._store.load(ids)

    async def history(self, saga_id: str) -> Past | None:
        return await self._store.history(saga_id)

    async def save(self, changes: Sequence[Change]) -> set[str]:
        return await self._striker.touch(Point.SAVE, changed(changes), lambda: self._store.save(changes))

    async def reschedule(self, moves: Sequence[tuple[SagaState, SagaState]]) -> None:
        subjects = awaited([before for before, _ in moves])
        await self._striker.touch(Point.RESCHEDULE, subjects, lambda: self._store.reschedule(moves))

    async def due(self, now: datetime, limit: int, share: Share = WHOLE) -> list[SagaState]:
        return await self._store.due(now, limit, share)

    async def awaiting(self, after: SagaState | None, limit: int, until: datetime) -> list[SagaState]:
        return await self._store.awaiting(after, limit, until)

    async def page(self, query: Query) -> Page:
        return await self._store.page(query)

    async def count_active(self, limit: int) -> int:
        return await self._store.count_active(limit)

    async def in_flight(self) -> Sequence[InFlight]:
        return await self._store.in_flight()

    async def ping(self) -> None:
        await self._store.ping()


class StruckInbox:
    """Implements `participants.inbox.Inbox` on the participant's own. Before a commit its transaction is open."""

    def __init__(self, inbox: Inbox, striker: Striker) -> None:
        self._inbox = inbox
        self._striker = striker

    @property
    def expiry(self) -> timedelta:
        return self._inbox.expiry

    @property
    def database(self) -> Any:
        return self._inbox.database

    async def atomically(self, body: Body[T]) -> T:
        subjects: list[Subject] = []

        async def watched(tx: InboxTransaction) -> T:
            subjects.clear()  # A conflict has started it over.
            result = await body(_Noting(tx, subjects))
            self._striker.strike(Point.COMMIT, subjects)
            return result

        result = await self._inbox.atomically(watched)
        self._striker.strike(Point.COMMIT, subjects, after=True)
        return result


class _Noting:
    """A transaction that notes what is written in it."""

    def __init__(self, tx: InboxTransaction, subjects: list[Subject]) -> None:
        self._tx = tx
        self._subjects = subjects

    @property
    def database(self) -> Any:
        return self._tx.database

    @property
    def session(self) -> Any:
        return self._tx.session

    async def rows(self, ids: Sequence[str]) -> Mapping[str, Row]:
        return await self._tx.rows(ids)

    async def insert(self, rows: Sequence[Row]) -> None:
        self._subjects += [Subject(row.saga_id, row.step, row.kind.value) for row in rows]
        await self._tx.insert(rows)

    async def replace(self, rows: Sequence[Row]) -> None:
        self._subjects += [Subject(row.saga_id, row.step, row.kind.value) for row in rows]
        await self._tx.replace(rows)


def struck(participant: Participant, striker: Striker, clock: Clock) -> Participant:
    """The same participant, with faults at its handlers."""
    copy = Participant(participant.name, indexes=participant.indexes)
    for registration in participant.handlers.values():
        handler = _struck(registration.handler, striker, clock)
        match registration.mode:
            case Mode.BATCH:
                copy.handles(registration.endpoint, batch=True)(handler)
            case Mode.EXTERNAL:
                copy.handles(registration.endpoint, external=True)(handler)
            case Mode.SINGLE:
                copy.handles(registration.endpoint)(handler)
    return copy


def _struck(handler: Handler, striker: Striker, clock: Clock) -> Handler:
    async def handle(command: Any, tx: Any) -> Any:
        contexts: Sequence[Context] = tx.contexts if isinstance(tx, BatchTransaction) else [tx]
        subjects = [Subject(each.saga_id, each.step, each.kind.value) for each in contexts]
        fault = striker.strike(Point.HANDLE, subjects)
        if fault is not None and fault.what is What.FAIL:
            raise PlannedFailure("planned")
        if fault is not None and fault.what is What.HANG:
            await clock.sleep(fault.for_s)
        outcome = await handler(command, tx)
        fault = striker.strike(Point.HANDLE, subjects, after=True)
        if fault is not None and fault.what is What.FAIL_AFTER:
            raise PlannedFailure("planned, with all done")
        return outcome

    return handle
