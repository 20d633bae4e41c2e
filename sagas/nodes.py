"""The words of a definition: `step`, `undo`, `pivot`. They only hold what the author wrote; `Saga` checks it.

Each node carries the type of the saga's data, `pivot()` too: one node typed with `Any` would make mypy silently stop
checking all others of the list.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Generic, Literal, TypeVar

from pydantic import BaseModel

from sagas.contracts import AnyEndpoint, C, Command, Endpoint, R
from sagas.durations import Duration
from sagas.retry import Retry

D = TypeVar("D", bound=BaseModel)

CommandFunction = Callable[[D], Command]
MergeFunction = Callable[[D, Any], Mapping[str, object]]

DEFAULT_TIMEOUT: Duration = "30s"
ACTION_RETRY = Retry()
UNDO_RETRY = Retry(attempts=20)


class Omitted(Enum):
    """Tells an `undo=` that was left out from an explicit `undo=None`."""

    OMITTED = "omitted"


class Node(Generic[D]):
    """One entry of a saga's list, for a saga with data of type `D`."""


@dataclass(frozen=True)
class UndoNode(Generic[D]):
    """What `undo()` was given."""

    endpoint: AnyEndpoint
    command: CommandFunction[D] | None
    timeout: Duration
    retry: Retry


@dataclass(frozen=True)
class StepNode(Node[D]):
    """What `step()` was given."""

    name: str
    endpoint: AnyEndpoint
    command: CommandFunction[D] | None
    undo: UndoNode[D] | Literal[Omitted.OMITTED] | None
    merge: MergeFunction[D] | None
    timeout: Duration
    retry: Retry


@dataclass(frozen=True)
class PivotNode(Node[D]):
    """The point of no return."""


def undo(
    endpoint: Endpoint[C, R],
    command: Callable[[D], C] | None = None,
    *,
    timeout: Duration = DEFAULT_TIMEOUT,
    retry: Retry = UNDO_RETRY,
) -> UndoNode[D]:
    """How a step is undone: a compensation, by the same participant.

    The command is filled from same-named fields of the data unless a function is given. Only fields of the input and
    of *earlier* steps' replies can be used: a step whose outcome is unknown has no reply.
    """
    return UndoNode(endpoint, command, timeout, retry)


def step(
    name: str,
    endpoint: Endpoint[C, R],
    command: Callable[[D], C] | None = None,
    *,
    undo: UndoNode[D] | Literal[Omitted.OMITTED] | None = Omitted.OMITTED,
    merge: Callable[[D, R], Mapping[str, object]] | None = None,
    timeout: Duration = DEFAULT_TIMEOUT,
    retry: Retry = ACTION_RETRY,
) -> Node[D]:
    """One step: an action, and what undoes it.

    `command` makes the command from the data (default: same-named fields). `merge` says which data fields a reply
    fills (default: same-named fields). `undo=None` says that there is nothing to undo. `timeout` is for one attempt.
    """
    return StepNode(name, endpoint, command, undo, merge, timeout, retry)


def pivot() -> Node[D]:
    """The point of no return, passed when the step before it has succeeded; at the start of the list, at once.

    Steps before it are undone when the saga fails; steps after it are retried until they succeed.
    """
    return PivotNode()
