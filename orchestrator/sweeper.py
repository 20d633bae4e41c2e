"""The timers: one indexed query for sagas whose wake-up time has come, in batches, through the same `engine.apply`.

The happy path never waits for it. Silence counts only for somebody who listened (core/timers.py), so it asks the bus
what still waits in the streams before it wakes a saga.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import structlog

from adapters.bus import Bus, Progress
from adapters.errors import Unavailable
from adapters.streams.names import ORCHESTRATOR_GROUP, Streams
from orchestrator.core.state import Pending, SagaState, Woken
from orchestrator.core.timers import RESEND_FIRST
from orchestrator.engine import Engine
from orchestrator.observer import Observer, Unobserved
from orchestrator.replica import Replica
from orchestrator.shares import WHOLE, Share
from orchestrator.work import Input
from sagas.values import replace

log = structlog.get_logger(__name__)

ANNOUNCING = timedelta(seconds=1)  #: a command is on its stream that soon after it was decided to send it
DEAF = timedelta(seconds=30)  #: a replica whose replies wait that long is not busy, whatever else it is
BEHIND_S = 2.0  #: while replies wait for long, timers are looked at that rarely: handling replies is what helps
NEVER = datetime.min.replace(tzinfo=UTC)
LONG_AHEAD = datetime.max.replace(tzinfo=UTC)  #: everything has been delivered
UNKNOWN_DEFINITION_PAUSE = timedelta(minutes=1)  #: when a saga that no replica knows is looked at again
MOST_UNKNOWN = 100_000  #: ids that are remembered of those


class _Waits(NamedTuple):
    """A saga, and the streams on which what it waits for may be."""

    state: SagaState
    commands: Mapping[str, str]  #: to the participants that read them
    replies: Sequence[str]

    @property
    def streams(self) -> Sequence[str]:
        return [*self.commands, *self.replies]


class Sweeper:
    """Wakes sagas. `run` is its loop, `sweep` one batch of it."""

    def __init__(
        self,
        engine: Engine,
        bus: Bus,
        streams: Streams,
        replica: Replica | None = None,
        *,
        batch: int = 500,
        every_s: float = 0.25,
        observer: Observer | None = None,
    ) -> None:
        self._engine = engine
        self._bus = bus
        self._streams = streams
        self._replica = replica or Replica(engine, bus, streams)
        self._batch = batch
        self._every_s = every_s
        self._observer = observer or Unobserved()
        self._is_behind = False  # whether the last sweep found replies that had waited for long
        self._unknown: frozenset[str] = frozenset()  # of a definition that others may have: they come first
        self._lost_at: dict[str, datetime] = {}  # when a stream could not be asked last: silence before it is none

    async def run(self) -> None:
        """Sweep for ever; a server that is away is waited for, an unexpected error is logged and survived."""
        while True:
            full = False
            try:
                full = await self.sweep() >= self._batch
            except Unavailable as error:
                log.warning("sweep-interrupted", reason=str(error))
            except Exception:
                log.exception("sweep-failed")
            if self._is_behind:
                await self._engine.clock.sleep(BEHIND_S)
            elif not full:
                await self._engine.clock.sleep(self._every_s)

    async def sweep(self) -> int:
        """Wake one batch of due sagas; how many. Whatever it raises, listening begins anew after it."""
        try:
            return await self._sweep()
        except Exception:
            self._engine.announcer.interrupted()
            raise

    async def _sweep(self) -> int:
        begun = self._engine.clock.now()
        room = min(self._batch, self._engine.announcer.pace.room)
        share = replace(self._replica.share, others=self._unknown) if self._replica.share.of > 1 else WHOLE
        due = await self._engine.store.due(begun, room, share) if room else []
        unknown = {state.id for state in due if self._engine.definition(state) is None}
        known = [state for state in due if state.id not in unknown]
        self._is_behind = False
        if known:
            await self._wake(known)
        await self._leave([state for state in due if state.id in unknown], share)
        late_s = max(((begun - state.wake_at).total_seconds() for state in known if state.wake_at), default=0.0)
        self._observer.swept(len(due), late_s, (self._engine.clock.now() - begun).total_seconds())
        return len(due)

    async def _wake(self, states: Sequence[SagaState]) -> None:
        """Wake those about whose streams something is known. The others are held, and nothing of theirs is counted."""
        replies = self._replica.all_streams
        waits = [_Waits(state, self._commands(state), self._replies(state, replies)) for state in states]
        groups = {stream: group for each in waits for stream, group in each.commands.items()}
        progress = await self._bus.progress(groups | dict.fromkeys(replies, ORCHESTRATOR_GROUP))
        lost = {*groups, *replies}.difference(progress)
        self._lost_at |= dict.fromkeys(lost, self._engine.clock.now())
        # While replies wait for long we are slow ourselves: what is sent again then would only be more of it.
        self._is_behind = any(self._is_slow(stream, progress[stream]) for stream in replies if stream in progress)
        if held := [each.state for each in waits if not lost.isdisjoint(each.streams)]:
            log.warning("timers-held", sagas=len(held), reason=f"{min(lost)} can't be asked")
            await self._engine.hold(held)
        there = [each for each in waits if lost.isdisjoint(each.streams)]
        inputs = [Input(each.state.id, self._woken(each, progress)) for each in there]
        decisions = await self._engine.apply(inputs, [each.state for each in there])
        self._engine.announcer.pace.spend(sum(len(each.commands) for each in decisions if each is not None))

    def _heard_until(self, replies: Progress) -> datetime:
        """What came before then is applied.

        A reply in the hands of somebody who dies is no silence. One that stays in hand for long is a trouble of its
        own saga's: that must not keep all others from counting.
        """
        settled = replies.settled_until or LONG_AHEAD
        is_stuck = settled < self._engine.clock.now() - DEAF
        return (replies.delivered_until or LONG_AHEAD) if is_stuck else settled

    def _woken(self, waits: _Waits, progress: Mapping[str, Progress]) -> Woken:
        """What the core must know before it takes silence for silence.

        A command is queued while its stream has not been delivered that far, or we are slow. While replies wait in a
        stream where the saga's may be, a silence that ended behind them proves nothing.
        """
        announcer = self._engine.announcer
        listening_since = max(announcer.listening_since, *(self._lost_at.get(each, NEVER) for each in waits.streams))
        heard_until = min(self._heard_until(progress[stream]) for stream in waits.replies)
        queued, unheard = set(), set()
        for pending in waits.state.pending:
            delivered = progress[self._stream(waits.state, pending)].delivered_until or LONG_AHEAD
            if self._is_behind or delivered <= max(pending.sent_at, announcer.sent_again_at) + ANNOUNCING:
                queued.add(pending.command_id)
            if heard_until < pending.deadline:
                unheard.add(pending.command_id)
        return Woken(listening_since, frozenset(queued), frozenset(unheard))

    def _commands(self, state: SagaState) -> Mapping[str, str]:
        return {self._stream(state, pending): pending.participant for pending in state.pending}

    def _replies(self, state: SagaState, streams: Sequence[str]) -> Sequence[str]:
        """With partitions a saga is answered in its own, else wherever an orchestrator is."""
        return streams if self._streams.partitions == 1 else [self._streams.partition(self._streams.replies, state.id)]

    def _stream(self, state: SagaState, pending: Pending) -> str:
        """The stream that the command is on."""
        return self._streams.partition(self._streams.commands(pending.participant), state.id)

    def _is_slow(self, stream: str, progress: Progress) -> bool:
        """Whether whoever reads the replies there is behind.

        Another replica is believed to be only for a while: what it is deaf to is sent again, and answered to us.
        """
        until = progress.delivered_until
        waiting = timedelta(0) if until is None else self._engine.clock.now() - until
        return waiting > RESEND_FIRST and (waiting < DEAF or stream in self._replica.own_streams)

    async def _leave(self, states: Sequence[SagaState], share: Share) -> None:
        """What this process can't handle is left to those who can, and moved away when nobody has.

        Moved at once, its timer would never come to the others. Left in its place, it would starve other timers.
        """
        ids = frozenset(state.id for state in states)
        fresh = ids - self._unknown if share.of > 1 else frozenset()
        self._unknown = self._unknown | ids if len(self._unknown) + len(ids) <= MOST_UNKNOWN else ids
        later = self._engine.clock.now() + UNKNOWN_DEFINITION_PAUSE
        if moves := [(state, replace(state, wake_at=later)) for state in states if state.id not in fresh]:
            await self._engine.store.reschedule(moves)
