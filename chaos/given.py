"""A language for saying what a saga does, for tests: one story, from its start to its end.

    (given(order).started(customer_id="alice", items=[BOOTS])
        .sent("reserve-stock").succeeded(amount=1999)
        .sent("charge-payment", amount=1999).rejected("insufficient-funds")
        .sent("release-stock").succeeded()
        .is_compensated())

It talks to the real core, one message at a time, at times that it sets: no server, no waiting. `sent` names a command
that the decision before it must have sent, and it is what the next answer answers. The idea is that of Eventuate Tram's
saga tests.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Self

from pydantic import BaseModel

from chaos.samples import example
from chaos.standins import endpoints
from orchestrator.core.decide import begin, decide
from orchestrator.core.state import (
    AbortRequested,
    CancelRequested,
    Decision,
    Message,
    Pending,
    Replied,
    RetryRequested,
    SagaState,
    SkipRequested,
    Status,
    StepState,
    Woken,
)
from sagas import Saga
from sagas.messages import CommandMessage, Json, Outcome, ReplyMessage

START = datetime(2026, 1, 1, 12, tzinfo=UTC)
LONG_AGO = START - timedelta(days=1)


def given(saga: Saga[Any, Any], *, replies: Mapping[str, Json] | None = None) -> "Story":
    """The story of one saga. `replies`: what participants say, by message type, unless the story says otherwise."""
    return Story(saga, replies or {})


class Story:
    """What has happened so far. Every method that is not a question returns the story."""

    def __init__(self, saga: Saga[Any, Any], replies: Mapping[str, Json]) -> None:
        self.saga = saga
        self.now = START
        self.state: SagaState
        self.decision: Decision
        self.command: CommandMessage
        self._replies = replies

    # -- the beginning -------------------------------------------------------------------------------------------------

    def started(self, **fields: Any) -> Self:
        """A client starts it, with these fields; what is needed beside them is made up."""
        made_up = {} if _is_whole(self.saga, fields) else example(self.saga.input, Random(0))
        data = self.saga.start({**made_up, **fields})
        return self._took(begin(self.saga, "s1", data, self.now, request="digest", traceparent="00-1-2-01"))

    # -- what a participant does --------------------------------------------------------------------------------

    def sent(self, name: str, *, attempt: int | None = None, id: str | None = None, **fields: Any) -> Self:
        """The newest decision sends this one command, `reserve-stock` or `inventory.revoke`, with these fields."""
        types = [command.type for command in self.decision.commands]
        assert len(types) == 1, f"expected {name}, but {types} are sent; {self}"
        (self.command,), self._has_its_answer = self.decision.commands, False
        assert name in (self.command.type, self.command.type.split(".")[1], self.command.step), f"{types}; {self}"
        assert attempt in (None, self.command.attempt), f"attempt {self.command.attempt}; {self}"
        assert id in (None, self.command.id), f"id {self.command.id}; {self}"
        found = {field: self.command.data.get(field) for field in fields}
        assert found == fields, f"{name} has {found}; {self}"
        return self

    def answering(self, command: CommandMessage) -> Self:
        """The next answer is to this earlier command."""
        self.command, self._has_its_answer = command, False
        return self

    def succeeded(self, **data: Any) -> Self:
        """Its participant has done it, and replies this; what is needed beside it is made up."""
        endpoint = endpoints([self.saga]).get(self.command.type)
        unknown = [] if endpoint is None else [name for name in data if name not in _fields(endpoint.reply)]
        assert not unknown, f"the reply to {self.command.type} has no {', no '.join(unknown)}"
        return self._answered(Outcome.SUCCEEDED, {**self._reply_to(self.command.type), **data})

    def rejected(self, code: str = "no", **data: Any) -> Self:
        """Its participant says no; to a revoke: it had happened, with this reply."""
        return self._answered(Outcome.REJECTED, {"code": code, **data})

    def failed(self, code: str = "broken", *, attempt: int | None = None) -> Self:
        """Its participant could not do it."""
        return self._answered(Outcome.FAILED, {"code": code, "detail": "it broke"}, attempt)

    def had_happened(self, **data: Any) -> Self:
        """The answer to a revoke that came too late."""
        action = self.saga.steps[self.saga.index(self.command.step)].endpoint.type
        return self._answered(Outcome.REJECTED, {**self._reply_to(action), **data})

    # -- time -----------------------------------------------------------------------------------------------------

    def after(self, seconds: float) -> Self:
        """Time passes, and nothing else."""
        self.now += timedelta(seconds=seconds)
        return self

    def woken(self, *, watched_since: datetime = LONG_AGO, queued: tuple[str, ...] = ()) -> Self:
        """Its timer is due, in an engine that has been listening since `watched_since`."""
        return self.told(Woken(watched_since, frozenset(queued)))

    def woken_when_due(self, **circumstances: Any) -> Self:
        """Time passes until its wake-up."""
        assert self.state.wake_at is not None, f"nothing to wait for; {self}"
        self.now = max(self.now, self.state.wake_at)
        return self.woken(**circumstances)

    def unanswered(self) -> Self:
        """Nobody answers until the deadline of what is pending, and the engine has listened all the while."""
        self.now = self.pending.deadline
        return self.woken()

    def backed_off(self) -> Self:
        """Time passes until the held attempt is sent."""
        assert self.pending.held, f"nothing is held; {self}"
        self.now = self.pending.sent_at
        return self.woken()

    # -- people ---------------------------------------------------------------------------------------------------

    def cancelled(self, reason: str = "changed my mind") -> Self:
        """A client cancels it."""
        return self.told(CancelRequested(reason))

    def retried(self) -> Self:
        """An operator retries it."""
        return self.told(RetryRequested("try again"))

    def skipped(self, **data: Any) -> Self:
        """An operator has done the step by hand; these are the fields of its reply."""
        return self.told(SkipRequested("done by hand", data))

    def aborted(self) -> Self:
        """An operator has it undone."""
        return self.told(AbortRequested("give up"))

    def told(self, message: Message) -> Self:
        """Any message."""
        return self._took(decide(self.saga, self.state, message, self.now))

    # -- what must be true now ------------------------------------------------------------------------------------

    def is_running(self) -> Self:
        """It moves forward."""
        return self._is(Status.RUNNING)

    def is_compensating(self) -> Self:
        """It is being undone."""
        return self._is(Status.COMPENSATING)

    def is_completed(self) -> Self:
        """It has ended, and every step is done."""
        return self._is(Status.COMPLETED)

    def is_compensated(self) -> Self:
        """It has ended, and nothing is left of it."""
        return self._is(Status.COMPENSATED)

    def is_stuck(self) -> Self:
        """It waits for a person."""
        return self._is(Status.STUCK)

    def because(self, code: str) -> Self:
        """The saga's failure."""
        assert self.state.failure is not None, f"nothing has failed; {self}"
        assert self.state.failure.code == code, f"not because of {code}; {self}"
        return self

    def refused(self, code: str) -> Self:
        """The request was turned down, and nothing has changed."""
        assert self.decision.refused is not None, self
        assert self.decision.refused.split(":")[0] == code, self.decision.refused
        return self.nothing_changed()

    def nothing_changed(self) -> Self:
        """The message changed nothing, and nothing is sent."""
        assert self.decision.transition is None, self
        assert self.decision.state == self._before, self
        return self.nothing_sent()

    def nothing_sent(self) -> Self:
        """No command is sent."""
        assert self.decision.commands == (), self
        return self

    def told_events(self, *names: str) -> Self:
        """The events that the newest decision publishes."""
        assert tuple(event.type.split(".")[-1] for event in self.decision.events) == names, self.decision.events
        return self

    def data_is(self, **fields: Any) -> Self:
        """These fields of the saga's data."""
        found = {field: self.state.data.get(field) for field in fields}
        assert found == fields, f"the data has {found}; {self}"
        return self

    def steps_are(self, **statuses: str) -> Self:
        """Statuses by step, with `_` for `-`."""
        found = {name: self.step(name.replace("_", "-")).status.value for name in statuses}
        assert found == statuses, self
        return self

    # -- questions ------------------------------------------------------------------------------------------------

    @property
    def pending(self) -> Pending:
        """The command that awaits its reply."""
        assert self.state.pending, f"no command awaits its reply; {self}"
        (pending,) = self.state.pending
        return pending

    def step(self, name: str) -> StepState:
        """One step."""
        return self.state.steps[self.saga.index(name)]

    def wakes_in_s(self) -> float | None:
        """Seconds until the wake-up."""
        return None if self.state.wake_at is None else (self.state.wake_at - self.now).total_seconds()

    def __str__(self) -> str:
        steps = ", ".join(f"{step.name} {step.status}" for step in self.state.steps)
        failure = self.state.failure
        why = f" because of {failure.code} in {failure.step} ({failure.detail})" if failure else ""
        return f"the saga is {self.state.status}{why} ({steps}), pending {[p.command_id for p in self.state.pending]}"

    def _reply_to(self, message_type: str) -> Json:
        if message_type in self._replies:
            return self._replies[message_type]
        endpoint = endpoints([self.saga]).get(message_type)
        return {} if endpoint is None else example(endpoint.reply, Random(0))

    def _answered(self, outcome: Outcome, data: Json, attempt: int | None = None) -> Self:
        late = self.state.status.ended and self._has_its_answer
        assert not late, f"{self.command.id} has its answer; `answering(story.command)` gives a late one. And {self}"
        self._has_its_answer = True
        attempt = self.command.attempt if attempt is None else attempt
        return self.told(Replied(ReplyMessage(self.command.id, outcome, data, attempt)))

    def _took(self, decision: Decision) -> Self:
        self._before = getattr(self, "state", decision.state)
        self.decision, self.state = decision, decision.state
        return self

    def _is(self, status: Status) -> Self:
        assert self.state.status is status, f"not {status}; {self}"
        return self


def _fields(model: type[BaseModel]) -> set[str]:
    return {name for field, info in model.model_fields.items() for name in (field, info.alias) if name}


def _is_whole(saga: Saga[Any, Any], fields: Mapping[str, Any]) -> bool:
    needed = {name for name, field in saga.input.model_fields.items() if field.is_required()}
    return needed <= fields.keys()
