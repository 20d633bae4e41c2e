"""What the engine is given to do, what becomes of it, and what is still to be done of it."""

from collections.abc import Sequence
from dataclasses import field

from orchestrator.core.state import Decision, Message, SagaState
from orchestrator.documents import Change
from orchestrator.observer import Applied
from sagas import Saga
from sagas.messages import Json
from sagas.values import dataclass


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
    revision: int | None = None  #: given: the saga must be at this revision, or the message is refused


@dataclass(slots=True)
class Batch:
    """The work of one `apply`: what is still to be decided, and what has come of it."""

    inputs: Sequence[Input]
    results: list[Decision | None]
    comes_again: bool = True  #: whoever gave the messages gives them again until all that follows is announced
    todo: list[int] = field(default_factory=list)
    stale: set[str] = field(default_factory=set)  #: sagas whose state came from the cache in this round
    changes: dict[str, Change] = field(default_factory=dict)
    moves: list[tuple[SagaState, SagaState]] = field(default_factory=list)
    decided: dict[int, Applied] = field(default_factory=dict)
