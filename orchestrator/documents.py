"""A saga's state as its MongoDB document, and back; and a change of it as the smallest update.

The document is made to be looked at with mongosh or Compass: the names of the HTTP API's saga, plus `pending`,
`wake_at`, `history` and `fingerprint`; ISO dates, no blobs. Pure: it names no driver and does no I/O.
"""

from collections.abc import Mapping
from typing import Any

from pydantic_core import to_json

from orchestrator.core.state import (
    Fault,
    Pending,
    SagaState,
    Skip,
    Status,
    StepState,
    StepStatus,
    Transition,
)
from sagas.messages import Kind
from sagas.values import dataclass, replace

Document = dict[str, Any]

HISTORY_LIMIT = 200  #: transitions kept in the document; the oldest go first
#: What they changed in the saga's data, as JSON, about; of larger ones fewer are kept. With as much as the data itself
#: may have, and numbers five times as long in MongoDB, a document stays below the 16 MiB beyond which none is saved.
HISTORY_BYTES = 384 * 1024


@dataclass(frozen=True, slots=True)
class Change:
    """What is to be saved of one saga: guarded by `before`'s id and revision."""

    before: SagaState
    after: SagaState
    transitions: tuple[Transition, ...]
    folded: bool = False  #: the only transition replaces the newest history entry

    def then(self, after: SagaState, transition: Transition, folded: bool) -> "Change":
        """This change and one more of the same saga, as one write."""
        if folded:
            return replace(self, after=after, transitions=(*self.transitions[:-1], transition))
        first = replace(self.transitions[0], count=1) if self.folded else self.transitions[0]
        return Change(self.before, after, (first, *self.transitions[1:], transition))


@dataclass(frozen=True, slots=True)
class Past:
    """A saga, and how it came to this: its newest transitions, at least one, oldest first."""

    state: SagaState
    transitions: tuple[Transition, ...]


def to_document(state: SagaState) -> Document:
    """The document of a new saga."""
    document = {
        "_id": state.id,
        "saga": state.saga,
        "version": state.version,
        "status": str(state.status),
        "revision": state.revision,
        "data": dict(state.data),
        "steps": [_step(step) for step in state.steps],
        "failure": _fault(state.failure),
        "pending": [_pending(pending) for pending in state.pending],
        "created_at": state.created_at,
        "updated_at": state.updated_at,
        "ended_at": state.ended_at,
        "fingerprint": state.fingerprint,
        "request": state.request,
        "history": [_transition(state.last)],
    }
    optional = {"wake_at": state.wake_at, "deadline_at": state.deadline_at, "traceparent": state.traceparent}
    return document | {name: value for name, value in optional.items() if value is not None}


def from_document(document: Mapping[str, Any]) -> SagaState:
    """The state; of the history only the newest entry is needed."""
    return SagaState(
        id=document["_id"],
        saga=document["saga"],
        version=document["version"],
        fingerprint=document["fingerprint"],
        status=Status(document["status"]),
        revision=document["revision"],
        data=document["data"],
        steps=tuple(_step_from(step) for step in document["steps"]),
        created_at=document["created_at"],
        updated_at=document["updated_at"],
        last=transition_from(document["history"][-1]),
        pending=tuple(_pending_from(pending) for pending in document["pending"]),
        failure=_fault_from(document["failure"]),
        skip=Skip(**document["skip"]) if document.get("skip") else None,
        ended_at=document["ended_at"],
        deadline_at=document.get("deadline_at"),
        wake_at=document.get("wake_at"),
        traceparent=document.get("traceparent"),
        request=document["request"],
    )


def history_from(document: Mapping[str, Any]) -> tuple[Transition, ...]:
    """The transitions that the document still has, oldest first."""
    return tuple(transition_from(entry) for entry in document["history"])


def past_document(past: Past) -> Document:
    """The document of a saga that has come this far, as MongoDB has it."""
    return to_document(past.state) | {"history": [_transition(transition) for transition in past.transitions]}


def to_update(change: Change) -> Document:
    """The update operators of a change: only what was made anew, and no index touched while the saga is under way."""
    before, after = change.before, change.after
    fields: Document = {"revision": after.revision, "updated_at": after.updated_at}
    changed = [transition.data for transition in change.transitions if transition.data]
    fields |= {f"data.{name}": value for data in changed for name, value in data.items()}
    for index, (step, old) in enumerate(zip(after.steps, before.steps, strict=True)):
        if step is not old:
            fields[f"steps.{index}"] = _step(step)
    if after.status is not before.status:
        fields["status"] = str(after.status)
    if after.ended_at != before.ended_at:
        fields["ended_at"] = after.ended_at
    if after.pending is not before.pending:
        fields["pending"] = [_pending(pending) for pending in after.pending]
    if after.failure != before.failure:
        fields["failure"] = _fault(after.failure)
    if after.skip != before.skip:
        fields["skip"] = {"reason": after.skip.reason, "data": dict(after.skip.data)} if after.skip else None
    return _with_history(change, {"$set": fields} | _wake_at(after))


def _wake_at(after: SagaState) -> Document:
    """`$min` also where the time seems unchanged: what we loaded may be older than what the sweep has moved."""
    if after.wake_at is None:
        return {"$unset": {"wake_at": ""}}
    return {"$min": {"wake_at": after.wake_at}}


def _with_history(change: Change, update: Document) -> Document:
    entries = [_transition(transition) for transition in change.transitions]
    if change.folded:
        update["$set"]["history.$[newest]"] = entries[0]
    else:
        update["$push"] = {"history": {"$each": entries, "$slice": -kept(change)}}
    return update


def kept(change: Change) -> int:
    """How many transitions the document has afterwards, at most; those of the change itself are among them."""
    largest = max((len(to_json(made.data)) for made in change.transitions if made.data), default=1)
    return min(HISTORY_LIMIT, max(len(change.transitions), HISTORY_BYTES // largest))


def array_filters(change: Change) -> list[Mapping[str, Any]] | None:
    """Which history entry a folded change replaces."""
    return [{"newest.revision": change.before.last.revision}] if change.folded else None


def to_reschedule(state: SagaState) -> Document:
    """The update that moves a wake-up (and with it the deadlines), without a new revision."""
    fields: Document = {"pending": [_pending(pending) for pending in state.pending]}
    if state.wake_at is None:
        return {"$set": fields, "$unset": {"wake_at": ""}}
    return {"$set": fields | {"wake_at": state.wake_at}}


def _fault(fault: Fault | None) -> Document | None:
    return None if fault is None else {"step": fault.step, "code": fault.code, "detail": fault.detail}


def _fault_from(document: Mapping[str, Any] | None) -> Fault | None:
    return None if document is None else Fault(document["code"], document["detail"], document["step"])


def _step(step: StepState) -> Document:
    return {
        "name": step.name,
        "status": str(step.status),
        "attempts": step.attempts,
        "action_id": step.action_id,
        "started_at": step.started_at,
        "ended_at": step.ended_at,
        "error": _fault(step.error),
    }


def _step_from(document: Mapping[str, Any]) -> StepState:
    return StepState(
        document["name"],
        StepStatus(document["status"]),
        document["attempts"],
        document["action_id"],
        document["started_at"],
        document["ended_at"],
        _fault_from(document["error"]),
    )


def _pending(pending: Pending) -> Document:
    return {
        "command_id": pending.command_id,
        "participant": pending.participant,
        "step": pending.step,
        "kind": str(pending.kind),
        "attempt": pending.attempt,
        "budget": pending.budget,
        "first_at": pending.first_at,
        "sent_at": pending.sent_at,
        "deadline": pending.deadline,
        "held": pending.held,
        "rejected": pending.rejected,
        "undoes": pending.undoes,
        "undoes_at": pending.undoes_at,
    }


def _pending_from(document: Mapping[str, Any]) -> Pending:
    return Pending(**{**document, "kind": Kind(document["kind"])})


def _transition(transition: Transition) -> Document:
    """An entry without what it does not say."""
    entry: Document = {
        "revision": transition.revision,
        "at": transition.at,
        "events": list(transition.events),
        "status": str(transition.status),
        "step": transition.step,
        "step_status": str(transition.step_status) if transition.step_status else None,
        "kind": str(transition.kind) if transition.kind else None,
        "attempt": transition.attempt,
        "code": transition.code,
        "detail": transition.detail,
        "data": dict(transition.data) if transition.data else None,
        "count": transition.count if transition.count > 1 else None,
    }
    return {name: value for name, value in entry.items() if value is not None}


def transition_from(document: Mapping[str, Any]) -> Transition:
    """One entry of a document's history."""
    kind, step_status = document.get("kind"), document.get("step_status")
    return Transition(
        revision=document["revision"],
        at=document["at"],
        events=tuple(document["events"]),
        status=Status(document["status"]),
        step=document.get("step"),
        step_status=StepStatus(step_status) if step_status else None,
        kind=Kind(kind) if kind else None,
        attempt=document.get("attempt"),
        code=document.get("code"),
        detail=document.get("detail"),
        data=document.get("data"),
        count=document.get("count", 1),
    )
