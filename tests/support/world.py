"""One saga, its participants and the network between them, as a graph of states: for exploring every history.

The rules are the real ones: `orchestrator.core.decide` and `participants.barrier`. What is abstracted:

* the network is a set of messages that only grows: each may arrive at any moment, never, or many times, which is all
  delay, reordering, loss and repetition at once (a known trick of TLA+ specifications);
* time is taken out: any timer may fire at any moment. All times of a saga are set to the same ones, revisions, history
  and errors are dropped, attempts count from the newest one, and a budget is at most one further attempt;
* a transaction is one step or, where two of them run at the same time, two that have read the same rows: then the
  second one to commit meets a conflict if a row that it inserts exists by now, or one that it replaces has changed.
  A crash before the commit is that nothing happens, one after it that the reply is lost.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from orchestrator.core import decide as core
from orchestrator.core.conclude import repeat
from orchestrator.core.state import (
    AbortRequested,
    CancelRequested,
    Decision,
    Fault,
    Message,
    Pending,
    Replied,
    RetryRequested,
    SagaState,
    SkipRequested,
    Status,
    StepState,
    Transition,
    Woken,
)
from participants import barrier
from participants.barrier import Answer, Row, Run, Settled, Undo, Verdict
from sagas import Saga
from sagas.messages import CommandMessage, Kind, Outcome, ReplyMessage

START = datetime(2026, 1, 1, tzinfo=UTC)
SILENCE_AT, DEADLINE_AT = START + timedelta(seconds=10), START + timedelta(seconds=20)
LONG_AGO, NEVER = START - timedelta(days=1), START + timedelta(days=1)
EXPIRY = timedelta(days=90)

Rows = Mapping[str, Row]


def row_of(rows: Rows, row_id: str) -> Row | None:
    """How a participant finds a row."""
    return rows.get(row_id)


@dataclass(frozen=True)
class Protocol:
    """The rules under test; a planted defect replaces one of them."""

    decide: Callable[[Saga, SagaState, Message, datetime], Decision] = core.decide
    judge: Callable[[CommandMessage, Row | None, Row | None, datetime, timedelta], Verdict] = barrier.decide
    settle: Callable[..., Settled] = barrier.settle
    finish: Callable[[CommandMessage, Run | Undo, Answer, datetime, timedelta], Settled] = barrier.finish
    row_of: Callable[[Rows, str], Row | None] = row_of


@dataclass(frozen=True)
class Scene:
    """What is explored: a saga, and what may befall it."""

    saga: Saga
    protocol: Protocol = field(default_factory=Protocol)
    requests: int = 0  #: how often an operator may interfere
    cancels: bool = True
    rejects: bool = True  #: whether participants may say no
    garbles: bool = False  #: whether a success may bring a reply that cannot be merged
    rejects_undo: bool = False  #: whether they may say no to a compensation, and remember it: foreign ones


class World(NamedTuple):
    """One state. Everything is named by its number in the `Scenery`, so that comparing is fast."""

    saga: int
    commands: frozenset[int]  #: ever sent
    rows: frozenset[int]  #: of all inboxes
    replies: frozenset[int]  #: ever sent
    effects: tuple[tuple[int, int], ...]  #: per step: how often its action and its compensation took effect
    requests: int  #: left to the operator


class Move(NamedTuple):
    """How one state becomes another."""

    label: str
    world: World


class Did(NamedTuple):
    """What a participant's transaction does."""

    label: str
    settled: Settled
    acted: int
    undid: int


class Scenery:
    """All states of a scene, made as they are asked for."""

    def __init__(self, scene: Scene) -> None:
        self.scene, self.saga = scene, scene.saga
        self.sagas: list[SagaState] = []
        self.commands: list[CommandMessage] = []
        self.replies: list[ReplyMessage] = []
        self.rows: list[Row] = []
        self._numbers: dict[object, int] = {}
        self._decided: dict[tuple[int, str], tuple[int, frozenset[int]] | None] = {}

    def first(self) -> World:
        """The saga has just been started."""
        state = core.begin(self.saga, "s", self.saga.start({}), START, request="", traceparent=None).state
        saga, commands = self._entered(state)
        return World(saga, commands, frozenset(), frozenset(), ((0, 0),) * len(self.saga.steps), self.scene.requests)

    def moves(self, world: World) -> Iterator[Move]:
        """Everything that may happen next."""
        for label, message in self._messages(world):
            if after := self._decide(world.saga, label, message):
                asked = isinstance(message, RetryRequested | SkipRequested | AbortRequested)
                yield Move(
                    label,
                    world._replace(
                        saga=after[0], commands=world.commands | after[1], requests=world.requests - int(asked)
                    ),
                )
        yield from self._transactions(world)

    # -- the engine -----------------------------------------------------------------------------------------------

    def _messages(self, world: World) -> Iterator[tuple[str, Message]]:
        state = self.sagas[world.saga]
        for pending in state.pending:
            failed = ReplyMessage(pending.command_id, Outcome.FAILED, {}, pending.attempt)
            yield f"{pending.command_id} fails", Replied(failed)
            yield f"{pending.command_id} is not answered in time", Woken(LONG_AGO)
            for number in world.replies:
                reply = self.replies[number]
                garbled = ", garbled" if "?" in reply.data.values() else ""
                yield f"the engine gets {reply.command_id} {reply.outcome}{garbled}", Replied(reply)
        if state.deadline_at and state.status is Status.RUNNING:
            yield "the saga's own deadline passes", Woken(NEVER)
        if self.scene.cancels:
            yield "a client cancels", CancelRequested()
        if world.requests and state.status is Status.STUCK:
            yield "an operator retries", RetryRequested()
            yield "an operator aborts", AbortRequested()
            yield "an operator skips", SkipRequested("", self._by_hand(state))

    def _by_hand(self, state: SagaState) -> dict[str, int]:
        waiting = [step.name for step in state.steps if step.status in ("running", "unknown", "rejected")]
        return dict.fromkeys(waiting[-1:], 1)

    def _decide(self, saga: int, label: str, message: Message) -> tuple[int, frozenset[int]] | None:
        key = (saga, label)
        if key not in self._decided:
            state = self.sagas[saga]
            now = START
            if isinstance(message, Woken):
                now = SILENCE_AT if message.watched_since is LONG_AGO else DEADLINE_AT
            decision = self.scene.protocol.decide(self.saga, state, message, now)
            self._decided[key] = self._entered(decision.state) if decision.transition else None
        return self._decided[key]

    def _entered(self, state: SagaState) -> tuple[int, frozenset[int]]:
        """The state without what does not matter, and what it sends sooner or later."""
        state = timeless(state)
        sent = repeat(self.saga, state, NEVER).commands
        return self._saga_number(state), frozenset(map(self._command_number, sent))

    # -- the participants -------------------------------------------------------------------------------------------

    def _transactions(self, world: World) -> Iterator[Move]:
        rows = {self.rows[number].id: self.rows[number] for number in world.rows}
        done = [(command, did) for command in world.commands for did in self._run(self.commands[command], rows)]
        for command, did in done:
            after = self._commit(world, rows, self.commands[command], did)
            if after == world:
                continue
            yield Move(did.label, after)
            for other, also in done:
                if self.commands[other].step == self.commands[command].step and not self._conflict(did, also, rows):
                    both = self._commit(after, self._rows_of(after), self.commands[other], also)
                    yield Move(f"{did.label}, and at the same time {also.label}", both)

    def _run(self, command: CommandMessage, rows: Rows) -> Iterator[Did]:
        protocol = self.scene.protocol
        action = protocol.row_of(rows, command.undoes) if command.undoes else None
        verdict = protocol.judge(command, protocol.row_of(rows, command.id), action, START, EXPIRY)
        if not isinstance(verdict, Run | Undo):
            yield Did(
                f"{command.id} meets {type(verdict).__name__}", protocol.settle(command, verdict, START, EXPIRY), 0, 0
            )
            return
        for value in (1, "?") if self.scene.garbles and isinstance(verdict, Run) else (1,):
            done = protocol.finish(command, verdict, Answer(Outcome.SUCCEEDED, {command.step: value}), START, EXPIRY)
            yield Did(f"{command.id} is done", done, int(isinstance(verdict, Run)), int(isinstance(verdict, Undo)))
        if isinstance(verdict, Run) and self.scene.rejects:
            no = protocol.finish(command, verdict, Answer.no(Outcome.REJECTED, "no"), START, EXPIRY)
            yield Did(f"{command.id} is rejected", no, 0, 0)
        if isinstance(verdict, Undo) and self.scene.rejects_undo:
            yield Did(f"{command.id} is rejected", remembered_no(command), 0, 0)

    def _commit(self, world: World, rows: Rows, command: CommandMessage, did: Did) -> World:
        index = self.saga.index(command.step)
        acted, undid = world.effects[index]
        effects = (*world.effects[:index], (acted + did.acted, undid + did.undid), *world.effects[index + 1 :])
        written = {**rows, **{row.id: row for row in did.settled.rows}} if did.settled.rows else rows
        answer = did.settled.answer
        reply = self._reply_number(ReplyMessage(command.id, answer.outcome, answer.data, 1))
        return world._replace(
            rows=frozenset(map(self._row_number, written.values())),
            replies=world.replies | {reply},
            effects=effects,
        )

    def _conflict(self, first: Did, second: Did, rows: Rows) -> bool:
        written = {row.id for row in first.settled.rows}
        return any(row.id in written for row in second.settled.rows)

    def _rows_of(self, world: World) -> Rows:
        return {self.rows[number].id: self.rows[number] for number in world.rows}

    # -- numbers ------------------------------------------------------------------------------------------------------

    def _saga_number(self, state: SagaState) -> int:
        skip = state.skip and tuple(state.skip.data.items())
        data = tuple(state.data.items())
        return self._number(self.sagas, (state.status, state.steps, state.pending, state.failure, skip, data), state)

    def _command_number(self, command: CommandMessage) -> int:
        return self._number(self.commands, ("command", command.id, command.undoes), command)

    def _reply_number(self, reply: ReplyMessage) -> int:
        return self._number(self.replies, ("reply", reply.command_id, reply.outcome, str(reply.data)), reply)

    def _row_number(self, row: Row) -> int:
        return self._number(self.rows, ("row", row.id, row.outcome, row.tombstone, row.undone_by, str(row.reply)), row)

    def _number(self, known: list, key: object, value: object) -> int:  # type: ignore[type-arg]
        number = self._numbers.setdefault(key, len(known))
        if number == len(known):
            known.append(value)
        return number


def remembered_no(command: CommandMessage) -> Settled:
    """A participant that is not ours: it stores that it rejected the compensation."""
    answer = Answer.no(Outcome.REJECTED, "no")
    row = Row(
        command.id, command.saga_id, command.step, Kind.COMPENSATION, command.type, answer.outcome, {}, {}, START, START
    )
    return Settled(answer, (row,))


def timeless(state: SagaState) -> SagaState:
    """The state without times, numbers and words that no rule looks at."""
    return replace(
        state,
        revision=1,
        steps=tuple(_timeless_step(step) for step in state.steps),
        pending=tuple(_timeless_pending(pending) for pending in state.pending),
        failure=state.failure and Fault("cancelled" if state.failure.code == "cancelled" else "other"),
        last=Transition(1, START, (), Status.RUNNING),
        updated_at=START,
        ended_at=None,
        deadline_at=state.deadline_at and DEADLINE_AT,
        wake_at=START,
    )


def _timeless_step(step: StepState) -> StepState:
    return StepState(step.name, step.status, 1, step.action_id, step.started_at and START)


def _timeless_pending(pending: Pending) -> Pending:
    left = None if pending.budget is None else min(pending.budget - pending.attempt, 1)
    return replace(
        pending,
        attempt=1,
        budget=None if left is None else 1 + left,
        first_at=START,
        sent_at=START,
        deadline=SILENCE_AT,
        held=False,
        undoes_at=pending.undoes_at and START,
    )
