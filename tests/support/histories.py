"""Random histories for property tests: any message at any moment, from participants that may be anybody."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from orchestrator.core import decide as core
from orchestrator.core.state import (
    AbortRequested,
    CancelRequested,
    Decision,
    Message,
    Replied,
    RetryRequested,
    SagaState,
    SkipRequested,
    Status,
    Woken,
)
from sagas import Saga
from sagas.messages import Json, Kind, Outcome, ReplyMessage
from support.rules import Occasion, check
from support.shapes import BREAKS_NEXT, BREAKS_START, BREAKS_UNDO, shape

START = datetime(2026, 1, 1, tzinfo=UTC)
Decide = Callable[[Saga, SagaState, Message, datetime], Decision]

hostile_texts = st.one_of(st.text(max_size=5), st.sampled_from(["\ud800", "\0", "$a", "a.b", "x" * 2000, "cancelled"]))
hostile_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.just(2**70), st.floats(), hostile_texts, st.binary()),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(hostile_texts, inner, max_size=2),
    max_leaves=4,
)
hostile_data = st.dictionaries(
    st.sampled_from(["one", "two", "three", "number", "code", "detail", "$x"]), hostile_values, max_size=3
)
numbers = st.sampled_from([1] * 9 + [BREAKS_NEXT])


@dataclass(frozen=True)
class Said:
    """One message as it was drawn; what it means depends on the saga's state when it comes."""

    what: str  #: `reply`, `wake`, `cancel`, `retry`, `skip`, `abort`
    outcome: Outcome
    target: int  #: 0: the pending command; else one that was sent before, or nobody's
    attempt: int | None  #: None: the newest
    data: Json | None  #: None: what fits
    number: int
    when: str  #: `now`, `soon`, `due`, `deadline`, `late`
    watched: bool
    queued: bool


said = st.builds(
    Said,
    what=st.sampled_from(["reply"] * 8 + ["wake"] * 4 + ["cancel", "retry", "skip", "abort"]),
    outcome=st.sampled_from([Outcome.SUCCEEDED] * 4 + [Outcome.REJECTED, Outcome.FAILED, Outcome.FAILED]),
    target=st.sampled_from([0, 0, 0, 0, 1, 2, 99]),
    attempt=st.sampled_from([None, None, None, 0, 1, 2, -1]),
    data=st.one_of([st.none()] * 6 + [hostile_data]),
    number=numbers,
    when=st.sampled_from(["now", "soon", "due", "deadline", "deadline", "late"]),
    watched=st.sampled_from([True, True, False]),
    queued=st.sampled_from([False, False, True]),
)


def notation(before: str, after: str, marked: bool) -> str:
    """A shape that can be built: at least one step, and a marker where steps follow the pivot."""
    after = after if before else after or "r"
    return before + ("|" if after or marked else "") + after


BEFORE = ["u", "n", "uu", "un", "nu", "uuu", "unu", "uun", "nun", ""]
AFTER = ["", "", "r", "rr"]
says = st.lists(said, min_size=4, max_size=30)
shapes = st.builds(notation, st.sampled_from(BEFORE), st.sampled_from(AFTER), st.booleans())


@dataclass(frozen=True)
class Setting:
    """The saga of one history."""

    notation: str
    attempts: int
    undo_attempts: int
    timeout: str | None
    fragile: bool
    number: int

    def saga(self, *, fragile: bool | None = None) -> Saga:
        return shape(
            self.notation,
            attempts=self.attempts,
            undo_attempts=self.undo_attempts,
            timeout=self.timeout,
            fragile=self.fragile if fragile is None else fragile,
        )


settings_of_sagas = st.builds(
    Setting,
    notation=shapes,
    attempts=st.integers(1, 3),
    undo_attempts=st.integers(1, 3),
    timeout=st.sampled_from([None, None, "20s", "10m"]),
    fragile=st.booleans(),
    number=st.sampled_from([1] * 8 + [BREAKS_UNDO, BREAKS_UNDO, BREAKS_START]),
)


class History:
    """One saga's life; every decision is checked against the rules."""

    def __init__(self, setting: Setting, decide: Decide = core.decide) -> None:
        self.setting, self.saga, self.decide = setting, setting.saga(), decide
        self.now = START
        data = self.saga.start({"number": setting.number})
        decision = core.begin(self.saga, "s", data, self.now, request="", traceparent=None)
        self.state, self.sent = decision.state, [command.id for command in decision.commands]
        self._after_the_end = 0
        assert self.state.revision == 1

    @property
    def over(self) -> bool:
        """Whether it has ended, and has been told enough things since."""
        return self._after_the_end > 3

    def hears(self, said: Said) -> None:
        """The saga gets the message."""
        self.tell(self._message(said))

    def tell(self, message: Message) -> None:
        decision = self.decide(self.saga, self.state, message, self.now)
        check(Occasion(self.saga, self.state, message, self.now, decision))
        self._after_the_end += int(self.state.status.ended)
        self.state = decision.state
        self.sent += [command.id for command in decision.commands]

    def heals(self) -> None:
        """From now on everybody does what is expected, and the definition's mistakes are mended: the saga must end."""
        self.saga = self.setting.saga(fragile=False)
        for _ in range(50):
            if self.state.status.ended:
                return
            if self.state.status is Status.STUCK and not self.state.pending:
                self.tell(RetryRequested())
            pending = self.state.pending[0]
            data = {pending.step: 1} if pending.kind is Kind.ACTION else {}
            self.tell(Replied(ReplyMessage(pending.command_id, Outcome.SUCCEEDED, data, pending.attempt)))
        raise AssertionError(f"never ends: {self.state}")

    def _message(self, said: Said) -> Message:
        match said.what:
            case "reply":
                return Replied(self._reply(said))
            case "wake":
                return self._wake(said)
            case "cancel":
                return CancelRequested("please")
            case "retry":
                return RetryRequested("again")
            case "abort":
                return AbortRequested("enough")
            case _:
                return SkipRequested("by hand", self._data(said))

    def _reply(self, said: Said) -> ReplyMessage:
        pending = self.state.pending[0] if self.state.pending else None
        sent = list(dict.fromkeys([*self.sent, *(p.command_id for p in self.state.pending)]))
        command_id = sent[-1 - said.target] if said.target < len(sent) else "s/nobody/action"
        newest = pending.attempt if pending else 1
        attempt = newest if said.attempt is None else newest + said.attempt
        return ReplyMessage(command_id, said.outcome, self._data(said), attempt)

    def _data(self, said: Said) -> Json:
        if said.data is not None:
            return said.data
        waiting: dict[str, Any] = {step.name: said.number for step in self.state.steps if step.status != "pending"}
        return dict(list(waiting.items())[-1:])

    def _wake(self, said: Said) -> Woken:
        pending = self.state.pending[0] if self.state.pending else None
        match said.when:
            case "soon":
                self.now += timedelta(seconds=1)
            case "due":
                self.now = max(self.now, self.state.wake_at or self.now)
            case "deadline":
                self.now = max(self.now, pending.deadline if pending else self.now)
            case "late":
                self.now += timedelta(hours=1)
            case _:
                pass
        queued = frozenset(p.command_id for p in self.state.pending) if said.queued else frozenset[str]()
        return Woken(START if said.watched else self.now, queued)
