"""What a saga looked like at an earlier revision, rebuilt from its history. Pure.

An entry names one step and that step's status. The other one that it may have moved, by beginning or undoing it, is
the step that the following entry is about: so entries and the newest state together say everything.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from orchestrator.core.state import SagaState, Status, StepStatus, Transition
from sagas.messages import Json

#: what a step was before the first thing that is known of it
_BEFORE = {StepStatus.RUNNING: StepStatus.PENDING, StepStatus.COMPENSATING: StepStatus.SUCCEEDED}


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The visible state after one revision."""

    revision: int
    at: datetime  #: of that revision; of the newest one where equal retries were folded into one entry
    status: Status
    steps: tuple[tuple[str, StepStatus], ...]  #: every step, with its status
    data: Json  #: without the fields whose value of then is not known any more


def first_revision(transitions: Sequence[Transition]) -> int:
    """The first revision that the entries still tell of."""
    return transitions[0].revision - transitions[0].count + 1


def at_revision(state: SagaState, transitions: Sequence[Transition], revision: int) -> Snapshot | None:
    """The saga after that revision; None where the entries don't tell.

    `transitions` are the history up to `state`, oldest first; where it was capped, its newest part.
    """
    if not first_revision(transitions) <= revision <= state.revision:
        return None
    index = next(index for index, entry in enumerate(transitions) if entry.revision >= revision)
    entry = transitions[index]
    marks = [dict(_marks(state, transitions, number)) for number in range(len(transitions))]
    steps = tuple((step.name, _status(step.name, marks, index)) for step in state.steps)
    return Snapshot(revision, entry.at, entry.status, steps, _data(state, transitions, index))


def _marks(state: SagaState, transitions: Sequence[Transition], index: int) -> Iterator[tuple[str, StepStatus]]:
    """What is known of steps after this entry."""
    entry = transitions[index]
    if index == len(transitions) - 1:
        yield from ((step.name, step.status) for step in state.steps)
        return
    under_way = StepStatus.COMPENSATING if entry.status is Status.COMPENSATING else StepStatus.RUNNING
    # Last, the entry's own word: it counts.
    for step, status in ((transitions[index + 1].step, under_way), (entry.step, entry.step_status)):
        if step is not None and status is not None:
            yield step, status


def _status(step: str, marks: Sequence[dict[str, StepStatus]], index: int) -> StepStatus:
    for earlier in reversed(marks[: index + 1]):
        if step in earlier:
            return earlier[step]
    found = next(later[step] for later in marks[index + 1 :] if step in later)
    return _BEFORE.get(found, found)


def _data(state: SagaState, transitions: Sequence[Transition], index: int) -> Json:
    then = {field: value for entry in transitions[: index + 1] for field, value in (entry.data or {}).items()}
    later = {field for entry in transitions[index + 1 :] for field in entry.data or {}}
    kept = {field: value for field, value in state.data.items() if field not in later}
    known = kept | then
    return {field: known[field] for field in state.data if field in known}
