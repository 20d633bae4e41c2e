"""A saga as clients see it: the fields of the contract and no other. Pure."""

from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from orchestrator.api.waiting_for import waiting_for
from orchestrator.core.state import Fault, SagaState, StepState
from sagas import Saga

Json = dict[str, Any]


def view(state: SagaState, saga: Saga | None) -> Json:
    """The saga; `saga` is its definition, None where it isn't known here."""
    return {
        "id": state.id,
        "saga": state.saga,
        "version": state.version,
        "status": state.status.value,
        "revision": state.revision,
        "data": dict(state.data),
        "steps": [_step(step) for step in state.steps],
        "failure": _failure(state.failure),
        "waiting_for": waiting_for(state, saga),
        "created_at": rfc3339(state.created_at),
        "updated_at": rfc3339(state.updated_at),
        "ended_at": _maybe(state.ended_at),
    }


def etag(state: SagaState) -> str:
    """The revision as an entity tag."""
    return f'"{state.revision}"'


@lru_cache(maxsize=1_024)  # The sagas of one batch have few times between them.
def rfc3339(at: datetime) -> str:
    """UTC, to the millisecond: `2026-01-31T12:00:00.000Z`."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def _maybe(at: datetime | None) -> str | None:
    return None if at is None else rfc3339(at)


def _step(step: StepState) -> Json:
    return {
        "name": step.name,
        "status": step.status.value,
        "attempts": step.attempts,
        "started_at": _maybe(step.started_at),
        "ended_at": _maybe(step.ended_at),
        "error": None if step.error is None else {"code": step.error.code, "detail": step.error.detail},
    }


def _failure(failure: Fault | None) -> Json | None:
    if failure is None:
        return None
    return {"step": failure.step, "code": failure.code, "detail": failure.detail}
