"""The engine: load, decide, save, announce, in batches. What follows from a message is `core.decide`'s business.

Nothing is announced before it is saved, and nothing is acknowledged before it is announced. Any number of engines may
work on the same sagas: every save is a compare-and-set on the revision, and who loses starts over from a fresh read.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

import structlog

from adapters.clock import Clock
from adapters.errors import Unavailable
from adapters.tracing.context import of_saga
from adapters.tracing.port import Tracer, Untraced
from orchestrator.announcer import Announcer
from orchestrator.cache import StateCache
from orchestrator.core.conclude import refuse, repeat
from orchestrator.core.conclude import unsent as not_sent
from orchestrator.core.decide import begin, decide
from orchestrator.core.state import Decision, Message, SagaState, Woken
from orchestrator.documents import Change
from orchestrator.identity import command_of, names
from orchestrator.in_flight import LOAD_IT
from orchestrator.observer import Applied, Observer, Unobserved
from orchestrator.shares import WHOLE, Share
from orchestrator.store import SagaStore
from orchestrator.waiters import Waiters
from orchestrator.work import Batch, Input, Start, Started
from sagas import Definitions, Saga
from sagas.values import replace

log = structlog.get_logger(__name__)

CHANGED = "revision-changed"  #: the refusal of a request that was meant for another revision
UNDECIDABLE_PAUSE = timedelta(minutes=5)  #: when the timer of a saga that no rule fits is looked at again
MAX_ROUNDS = 20  #: how often a batch starts over for the sagas that others keep changing


class PartlySent(Unavailable):
    """Some of it is on its streams: whoever tries again at once puts that there again and again."""


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
        observer: Observer | None = None,
        tracer: Tracer | None = None,
    ) -> None:
        self._tracer = tracer or Untraced()
        self.definitions = definitions
        self.store = store
        self.clock = clock
        self.waiters = Waiters()
        self.announcer = announcer
        self.took_s = 0.0  #: how long the newest batch took: longer, the more there is to do
        self._observer = observer or Unobserved()
        self._cache = StateCache(cache_limit)

    # -- start -------------------------------------------------------------------------------------------------------

    async def accept(self, starts: Sequence[Start]) -> tuple[Sequence[Started], Sequence[Decision]]:
        """Insert new sagas durably; for each the saga that has its id now, and what is to be announced.

        Raises `Unavailable`: then each of them may be in or not, and the same id starts it at most once.
        """
        now = self.clock.now()
        decisions = [self._begin(start, now) for start in starts]
        there = await self.store.insert([decision.state for decision in decisions])
        new = [decision for decision, other in zip(decisions, there, strict=True) if other is None]
        for decision in new:
            self._cache.put(decision.state)
        self._observer.accepted(new, repeated=len(starts) - len(new))
        started = [
            Started(decision.state) if other is None else _already(start, other)
            for start, decision, other in zip(starts, decisions, there, strict=True)
        ]
        return started, new

    def _begin(self, start: Start, now: datetime) -> Decision:
        traceparent = start.traceparent
        if traceparent is None and self._tracer.on:
            begun = self._tracer.begin_trace(f"start {start.saga.name}", of_saga(start.id))
            traceparent = None if begun is None else str(begun)
        return begin(start.saga, start.id, start.data, now, request=start.request, traceparent=traceparent)

    async def announce_started(self, decisions: Sequence[Decision]) -> None:
        """Send the first commands and events of accepted sagas. Where that fails their timers repeat it."""
        try:
            await self.announcer.announce(decisions)
        except Unavailable as error:
            log.warning("start-not-announced", sagas=len(decisions), reason=str(error))

    # -- apply -------------------------------------------------------------------------------------------------------

    async def apply(self, inputs: Sequence[Input], states: Iterable[SagaState] = ()) -> Sequence[Decision | None]:
        """Apply messages in order, save and announce what follows. `states` are fresh reads of some of the sagas.

        The decision for each input; None where the saga does not exist, or is of a definition that is unknown here.
        Raises `Unavailable` if not everything is saved and announced: then all of it is to be applied again, as
        redelivered.
        """
        return await self._work(Batch(inputs, [None] * len(inputs)), {state.id: state for state in states})

    async def request(self, saga_id: str, message: Message, revision: int | None = None) -> Decision | None:
        """Apply what a person asks for; where a revision is given, only to that one. The decision as of `apply`.

        What was saved stands even if announcing fails: the saga's timer repeats what was lost. Raises `Unavailable`
        where it may be saved or not.
        """
        batch = Batch([Input(saga_id, message, revision=revision)], [None], comes_again=False)
        return (await self._work(batch, {}))[0]

    async def _work(self, batch: Batch, fresh: dict[str, SagaState]) -> Sequence[Decision | None]:
        begun = self.clock.now()
        batch.todo = list(range(len(batch.inputs)))
        for round_number in range(MAX_ROUNDS):
            known = fresh if round_number == 0 else {}
            await self._round(batch, await self._states(batch, known, cached=round_number == 0))
            if not batch.todo:
                self.took_s = (self.clock.now() - begun).total_seconds()
                self._observer.finished(len(batch.inputs), self.took_s)
                return batch.results
        raise Unavailable("others keep changing the same sagas")

    async def _states(self, batch: Batch, fresh: dict[str, SagaState], *, cached: bool) -> dict[str, SagaState]:
        ids = {batch.inputs[index].saga_id for index in batch.todo} - fresh.keys()
        known = self._cache.get(ids) if cached else {}
        batch.stale = set(known)
        missing = sorted(ids - known.keys())
        loaded = await self.store.load(missing) if missing else {}
        return fresh | known | loaded

    async def _round(self, batch: Batch, states: dict[str, SagaState]) -> None:
        """Decide, save, announce once. What was lost or decided from a stale state stays to be done."""
        batch.changes, batch.moves, batch.decided = {}, [], {}
        now, size = self.clock.now(), len(batch.todo)
        again = {index for index in batch.todo if not self._decide(batch, index, states, now)}
        lost = await self._save(batch)
        again |= {index for index in batch.decided if batch.inputs[index].saga_id in lost}
        batch.todo = sorted(again)
        self._cache.drop({batch.inputs[index].saga_id for index in batch.todo})
        done = {index: applied for index, applied in batch.decided.items() if index not in again}
        try:
            await self._announce(batch, done)
        finally:  # Also where that has failed: what is saved is never decided again.
            self._observer.applied(list(done.values()), conflicts=len(lost), unknown=size - len(again) - len(done))
        for index, applied in done.items():
            batch.results[index] = applied.decision

    def _decide(self, batch: Batch, index: int, states: dict[str, SagaState], now: datetime) -> bool:
        """Decide one input; whether that decision stands. `states` goes on with what was decided."""
        given = batch.inputs[index]
        state = states.get(given.saga_id)
        if state is None:
            log.warning("saga-unknown", saga_id=given.saga_id, command_id=command_of(given.message))
            return True
        saga = self.definition(state)
        if saga is None:
            return True
        decision = self._decision(saga, state, given, now)
        if decision is None:  # This saga's trouble must not become the others'.
            batch.moves.append((state, replace(state, wake_at=now + UNDECIDABLE_PAUSE)))
            return True
        if decision.transition is None and given.saga_id in batch.stale and given.saga_id not in batch.changes:
            return False  # Nothing changes, says a state that may be old: look again.
        if decision.transition is not None:
            _collect(batch.changes, state, decision)
            states[given.saga_id] = decision.state
        elif decision.state is not state:
            batch.moves.append((state, decision.state))
        elif given.redelivered:
            decision = self._repeated(saga, state, now) or decision
        batch.decided[index] = Applied(given.message, state, decision)
        return True

    async def _save(self, batch: Batch) -> set[str]:
        """Save the changes; the ids of those that somebody else changed first."""
        if not batch.changes:
            return set()
        self._cache.drop(batch.changes)  # Until it is known what was saved.
        saved = await self.store.save(list(batch.changes.values()))
        for saga_id in saved:
            after = batch.changes[saga_id].after
            self._cache.put(after)
            self.waiters.tell(after)
        return batch.changes.keys() - saved

    def _decision(self, saga: Saga, state: SagaState, given: Input, now: datetime) -> Decision | None:
        if given.revision not in (None, state.revision):
            return refuse(state, f"{CHANGED}: the saga is at revision {state.revision} by now")
        try:
            return decide(saga, state, given.message, now)
        except Exception:  # A document that somebody has changed by hand, say.
            log.exception("saga-undecidable", **names(state, command_of(given.message)))
            return None

    def _repeated(self, saga: Saga, state: SagaState, now: datetime) -> Decision | None:
        try:
            return repeat(saga, state, now)
        except Exception:  # A function that no longer makes the command, or a document changed by hand.
            log.exception("command-not-built", **names(state, state.pending[0].command_id if state.pending else None))
            return None

    async def _announce(self, batch: Batch, done: Mapping[int, Applied]) -> None:
        """Send what follows. Wake-ups move only after what was due at them has been sent."""
        try:
            refused = await self.announcer.announce([applied.decision for applied in done.values()])
        except Unavailable as error:
            if batch.comes_again:
                raise
            log.warning("request-not-announced", saga_id=batch.inputs[0].saga_id, reason=str(error))
            return
        unsent = [applied for position, applied in enumerate(done.values()) if position in refused]
        held = {applied.before.id for applied in unsent}
        await self.hold([before for before, _ in batch.moves if before.id in held])
        if moves := [move for move in batch.moves if move[0].id not in held]:
            await self.store.reschedule(moves)
        if batch.comes_again and any(not isinstance(applied.message, Woken) for applied in unsent):
            raise Unavailable(f"what {len(unsent)} messages caused is not on its stream")

    async def hold(self, states: Iterable[SagaState]) -> None:
        """What they await is sent a little later, anew: its stream takes nothing now. Nothing is counted."""
        now = self.clock.now()
        known = [(saga, state) for state in states if (saga := self.definition(state)) is not None]
        if known:
            await self.store.reschedule([(state, not_sent(saga, state, now)) for saga, state in known])

    # -- what is in flight ---------------------------------------------------------------------------------------------

    def definition(self, state: SagaState) -> Saga | None:
        """The definition that the saga began with; None where this process does not have that very one."""
        saga = self.definitions.get(state.saga, state.version)
        if saga is not None and saga.fingerprint == state.fingerprint:
            return saga
        log.error("definition-unknown", **names(state), saga=state.saga, version=state.version, reason=LOAD_IT)
        return None

    async def resend(self, page: int = 500, share: Share = WHOLE) -> int:
        """Announce once more what the sagas of our share await; how many they are.

        Raises `PartlySent` where some of it was refused; all the rest has been announced.
        """
        count = unsent = 0
        begun = self.clock.now()  # What has changed since has been sent since.
        last: SagaState | None = None
        while states := await self.store.awaiting(last, page, begun):
            last, states = states[-1], [state for state in states if share.distance(state.id) == 0]
            await self.announcer.pace.ready()
            now = self.clock.now()
            pairs = [(self.definition(state), state) for state in states]
            tried = [self._repeated(saga, state, now) for saga, state in pairs if saga is not None]
            repeats = [decision for decision in tried if decision is not None]
            refused = await self.announcer.announce(repeats)
            self._observer.sent_again([each for n, each in enumerate(repeats) if n not in refused])
            self.announcer.pace.spend(len(repeats))
            count += len(states)
            unsent += len(refused)
        if unsent:
            raise PartlySent(f"of what is awaited, the commands of {unsent} sagas are not on their streams")
        self.announcer.sent_again()
        return count


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
