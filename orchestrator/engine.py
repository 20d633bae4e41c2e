"""The engine: load, decide, save, announce, in batches. What follows from a message is `core.decide`'s business.

Nothing is announced before it is saved, and nothing is acknowledged before it is announced. Any number of engines may
work on the same sagas: every save is a compare-and-set on the revision, and who loses starts over from a fresh read.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import structlog

from adapters.clock import Clock
from adapters.errors import Unavailable
from orchestrator.announcer import Announcer
from orchestrator.cache import StateCache
from orchestrator.core.conclude import repeat
from orchestrator.core.decide import begin, decide
from orchestrator.core.state import Decision, Message, SagaState
from orchestrator.documents import Change
from orchestrator.store import SagaStore
from orchestrator.waiters import Waiters
from sagas import Definitions, Saga
from sagas.messages import Json

log = structlog.get_logger(__name__)

MAX_ROUNDS = 20  #: how often a batch starts over for the sagas that others keep changing


@dataclass(frozen=True, slots=True)
class Start:
    """A saga to start: checked data, and the digest of what the client sent."""

    saga: Saga
    id: str
    data: Json
    request: str
    traceparent: str | None = None


@dataclass(frozen=True, slots=True)
class Started:
    """The saga that has the id now. `replayed`: it was there, from the same request; `taken`: from another one."""

    state: SagaState
    replayed: bool = False
    taken: bool = False


@dataclass(frozen=True, slots=True)
class Input:
    """A message for one saga. `redelivered`: what it caused may be lost, so it is announced once more."""

    saga_id: str
    message: Message
    redelivered: bool = False


@dataclass(slots=True)
class _Batch:
    """The work of one `apply`: what is still to be decided, and what has come of it."""

    inputs: Sequence[Input]
    results: list[Decision | None]
    todo: list[int] = field(default_factory=list)
    stale: set[str] = field(default_factory=set)  #: sagas whose state came from the cache in this round
    changes: dict[str, Change] = field(default_factory=dict)
    moves: list[tuple[SagaState, SagaState]] = field(default_factory=list)
    decided: dict[int, Decision] = field(default_factory=dict)


class Engine:
    """Starts sagas and applies messages to them."""

    def __init__(
        self,
        definitions: Definitions,
        store: SagaStore,
        announcer: Announcer,
        clock: Clock,
        *,
        cache_limit: int = 20_000,
    ) -> None:
        self.definitions = definitions
        self.store = store
        self.clock = clock
        self.waiters = Waiters()
        self._announcer = announcer
        self._cache = StateCache(cache_limit)

    # -- start -------------------------------------------------------------------------------------------------------

    async def start(self, starts: Sequence[Start]) -> Sequence[Started]:
        """Accept and announce. A saga is accepted even if announcing fails: its timer repeats what was lost."""
        started, decisions = await self.accept(starts)
        await self.announce_started(decisions)
        return started

    async def accept(self, starts: Sequence[Start]) -> tuple[Sequence[Started], Sequence[Decision]]:
        """Insert new sagas durably; for each the saga that has its id now, and what is to be announced.

        Raises `Unavailable`: then each of them may be in or not, and the same id starts it at most once.
        """
        now = self.clock.now()
        decisions = [_begun(start, now) for start in starts]
        there = await self.store.insert([decision.state for decision in decisions])
        new = [decision for decision, other in zip(decisions, there, strict=True) if other is None]
        for decision in new:
            self._cache.put(decision.state)
            log.debug("saga-started", saga_id=decision.state.id, saga=decision.state.saga)
        started = [
            Started(decision.state) if other is None else _already(start, other)
            for start, decision, other in zip(starts, decisions, there, strict=True)
        ]
        return started, new

    async def announce_started(self, decisions: Sequence[Decision]) -> None:
        """Send the first commands and events of accepted sagas."""
        try:
            await self._announcer.announce(decisions)
        except Unavailable as error:
            log.warning("start-not-announced", sagas=len(decisions), reason=str(error))

    # -- apply -------------------------------------------------------------------------------------------------------

    async def apply(self, inputs: Sequence[Input], states: Iterable[SagaState] = ()) -> Sequence[Decision | None]:
        """Apply messages in order, save and announce what follows. `states` are fresh reads of some of the sagas.

        The decision for each input; None where the saga does not exist, or is of a definition that is unknown here.
        Raises `Unavailable` if not everything is saved and announced: then all of it is to be applied again, as
        redelivered.
        """
        batch = _Batch(inputs, [None] * len(inputs), todo=list(range(len(inputs))))
        fresh = {state.id: state for state in states}
        for round_number in range(MAX_ROUNDS):
            known = fresh if round_number == 0 else {}
            await self._round(batch, await self._states(batch, known, cached=round_number == 0))
            if not batch.todo:
                return batch.results
        raise Unavailable("others keep changing the same sagas")

    async def _states(self, batch: _Batch, fresh: dict[str, SagaState], *, cached: bool) -> dict[str, SagaState]:
        ids = {batch.inputs[index].saga_id for index in batch.todo} - fresh.keys()
        known = self._cache.get(ids) if cached else {}
        batch.stale = set(known)
        missing = sorted(ids - known.keys())
        loaded = await self.store.load(missing) if missing else {}
        return fresh | known | loaded

    async def _round(self, batch: _Batch, states: dict[str, SagaState]) -> None:
        """Decide, save, announce once. What was lost or decided from a stale state stays to be done."""
        batch.changes, batch.moves, batch.decided = {}, [], {}
        now = self.clock.now()
        again = [index for index in batch.todo if not self._decide(batch, index, states, now)]
        lost = await self._save(batch)
        again += [index for index in batch.decided if batch.inputs[index].saga_id in lost]
        batch.todo = sorted(again)
        self._cache.drop({batch.inputs[index].saga_id for index in batch.todo})
        done = [(index, decision) for index, decision in batch.decided.items() if index not in again]
        await self._announcer.announce(decision for _, decision in done)
        await self._reschedule(batch)
        for index, decision in done:
            batch.results[index] = decision

    def _decide(self, batch: _Batch, index: int, states: dict[str, SagaState], now: datetime) -> bool:
        """Decide one input; whether that decision stands. `states` goes on with what was decided."""
        given = batch.inputs[index]
        state = states.get(given.saga_id)
        if state is None:
            log.warning("saga-unknown", saga_id=given.saga_id)
            return True
        saga = self.definition(state)
        if saga is None:
            return True
        decision = decide(saga, state, given.message, now)
        if decision.transition is None and given.saga_id in batch.stale and given.saga_id not in batch.changes:
            return False  # Nothing changes, says a state that may be old: look again.
        if decision.transition is not None:
            _collect(batch.changes, state, decision)
            states[given.saga_id] = decision.state
        elif decision.state is not state:
            batch.moves.append((state, decision.state))
        elif given.redelivered:
            decision = repeat(saga, state, now)
        batch.decided[index] = decision
        return True

    async def _save(self, batch: _Batch) -> set[str]:
        """Save the changes; the ids of those that somebody else changed first."""
        if not batch.changes:
            return set()
        self._cache.drop(batch.changes)  # Until it is known what was saved.
        saved = await self.store.save(list(batch.changes.values()))
        for saga_id in saved:
            after = batch.changes[saga_id].after
            self._cache.put(after)
            self.waiters.tell(after)
            if after.status is not batch.changes[saga_id].before.status:
                told = {"saga": after.saga, "status": after.status.value, "revision": after.revision}
                log.info("saga-status", saga_id=saga_id, **told)
        return batch.changes.keys() - saved

    async def _reschedule(self, batch: _Batch) -> None:
        """Wake-ups move only after what was due at them has been sent."""
        if batch.moves:
            await self.store.reschedule(batch.moves)

    # -- what is in flight ---------------------------------------------------------------------------------------------

    def definition(self, state: SagaState) -> Saga | None:
        """The definition that the saga began with; None where this process does not have that very one."""
        saga = self.definitions.get(state.saga, state.version)
        if saga is not None and saga.fingerprint == state.fingerprint:
            return saga
        log.error("definition-unknown", saga_id=state.id, saga=state.saga, version=state.version)
        return None

    async def resend(self, participant: str | None, page: int = 500) -> int:
        """Announce once more what every saga in flight awaits from the participant (None: from any); how many."""
        count = 0
        last: SagaState | None = None
        while states := await self.store.awaiting(participant, last, page):
            now = self.clock.now()
            pairs = [(self.definition(state), state) for state in states]
            await self._announcer.announce(repeat(saga, state, now) for saga, state in pairs if saga is not None)
            count, last = count + len(states), states[-1]
        return count


def _begun(start: Start, now: datetime) -> Decision:
    return begin(start.saga, start.id, start.data, now, request=start.request, traceparent=start.traceparent)


def _already(start: Start, other: SagaState) -> Started:
    same = (other.saga, other.request) == (start.saga.name, start.request)
    return Started(other, replayed=same, taken=not same)


def _collect(changes: dict[str, Change], state: SagaState, decision: Decision) -> None:
    assert decision.transition is not None, "only transitions are collected"
    change = changes.get(state.id)
    if change is None:
        changes[state.id] = Change(state, decision.state, (decision.transition,), decision.folded)
    else:
        changes[state.id] = change.then(decision.state, decision.transition, decision.folded)
