"""What a client sees of a saga, and the sentence about what it waits for."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from orchestrator.api.view import rfc3339, view
from orchestrator.api.waiting_for import waiting_for
from orchestrator.core.decide import begin, decide
from orchestrator.core.state import CancelRequested, Message, SagaState, Status, Woken
from sagas.order import order
from support.orders import failure, rejection, started, success
from support.shapes import shape

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
LONG_AGO = datetime(2025, 1, 1, tzinfo=UTC)

Then = Callable[[SagaState], Message]

reserved = charged = released = success


def after(*messages: Then) -> SagaState:
    """An order saga after these messages, all at the same time."""
    state = started("s", NOW).state
    for message in messages:
        state = decide(order, state, message(state), NOW).state
    return state


def used_up(state: SagaState, message: Then) -> SagaState:
    """After that message for every attempt that is left, each as late as its backoff wants."""
    pending = state.pending[0]
    while state.pending and state.pending[0].command_id == pending.command_id and state.status != "stuck":
        at = max(NOW, state.pending[0].sent_at)
        state = decide(order, replace(state, wake_at=at), Woken(LONG_AGO), at).state
        state = decide(order, state, message(state), at).state
    return state


def cancelled(_: SagaState) -> Message:
    return CancelRequested("changed my mind")


@pytest.mark.parametrize(
    ("state", "sentence"),
    [
        (
            after(),
            "Waits since 2026-01-01T12:00:00Z for inventory to do the step 'reserve-stock' (attempt 1 of 5). "
            "Without an answer by 2026-01-01T12:00:30Z: it is asked again.",
        ),
        (
            after(failure),
            "Waits after 'broken' until 2026-01-01T12:00:00Z to ask inventory again to do the step 'reserve-stock' "
            "(attempt 2 of 5). If that fails too: it is asked again.",
        ),
        (
            after(reserved, charged),
            "Waits since 2026-01-01T12:00:00Z for orders to do the step 'confirm' (attempt 1 of any number). "
            "Without an answer by 2026-01-01T12:00:30Z: it is asked again.",
        ),
        (
            after(reserved, rejection),
            "Waits since 2026-01-01T12:00:00Z for inventory to undo the step 'reserve-stock' (attempt 1 of 20). "
            "Without an answer by 2026-01-01T12:00:30Z: it is asked again.",
        ),
        (
            after(cancelled),
            "Waits since 2026-01-01T12:00:00Z for inventory to undo the step 'reserve-stock' (attempt 1 of 20). "
            "Without an answer by 2026-01-01T12:00:30Z: it is asked again.",
        ),
        (
            after(reserved, charged, rejection),
            "Waits since 2026-01-01T12:00:00Z for a person: the step 'confirm' was rejected after the point of no "
            "return. Retry it, or skip it.",
        ),
        (after(rejection), None),
        (after(reserved, charged, success), None),
    ],
)
def test_a_saga_says_what_it_waits_for(state: SagaState, sentence: str | None) -> None:
    assert waiting_for(state, order) == sentence


def with_attempt(state: SagaState, attempt: int) -> SagaState:
    return replace(state, pending=(replace(state.pending[0], attempt=attempt),))


def test_the_last_attempt_says_that_the_steps_are_undone() -> None:
    said = waiting_for(with_attempt(after(reserved), 5), order)
    assert said is not None
    assert "(attempt 5 of 5)" in said
    assert said.endswith("the step and those before it are undone.")


def test_a_step_that_is_tried_for_ever_asks_for_attention_after_ten_attempts() -> None:
    tenth, next_one = (waiting_for(with_attempt(after(reserved, charged), attempt), order) for attempt in (10, 11))
    assert tenth is not None
    assert next_one is not None
    assert not tenth.startswith("Needs attention")
    assert next_one.startswith("Needs attention: Waits since")


def test_the_last_attempt_of_an_undo_says_that_a_person_must_look() -> None:
    said = waiting_for(with_attempt(after(reserved, rejection), 20), order)
    assert said is not None
    assert said.endswith(": the saga is stuck, and a person must look.")


def test_a_step_without_undo_is_revoked_after_its_last_attempt() -> None:
    saga = shape("n|r")
    state = begin(saga, "s", saga.start({}), NOW, request="r", traceparent=None).state
    said = waiting_for(with_attempt(state, 2), saga)
    assert said is not None
    assert said.endswith("the step is revoked.")
    revoking = waiting_for(decide(saga, state, CancelRequested(), NOW).state, saga)
    assert revoking is not None
    assert "for p-one to make sure that the step 'one' never happens (attempt 1 of 20)" in revoking


def test_a_stuck_compensation_says_that_it_is_still_asked() -> None:
    stuck = used_up(after(reserved, rejection), failure)
    assert stuck.status == "stuck"
    said = waiting_for(stuck, order)
    assert said is not None
    assert "for a person: inventory could not undo the step 'reserve-stock' (attempt 20 of 20)" in said
    assert said.endswith("asked every 5 minutes, and a success resumes the saga. Retry it, or skip it.")


def test_a_saga_of_an_unknown_definition_says_so() -> None:
    said = waiting_for(after(), None)
    assert said is not None
    assert "knows version 1 of the saga 'order'" in said
    assert view(after(), None)["waiting_for"] == said


def test_a_saga_shows_the_fields_of_the_contract_and_no_other() -> None:
    shown = view(after(reserved), order)
    assert list(shown) == [
        *("id", "saga", "version", "status", "revision", "data", "steps", "failure", "waiting_for"),
        *("created_at", "updated_at", "ended_at"),
    ]
    assert list(shown["steps"][0]) == ["name", "status", "attempts", "started_at", "ended_at", "error"]
    assert shown["steps"][0]["status"] == "succeeded"
    assert shown["created_at"] == "2026-01-01T12:00:00.000Z"
    assert shown["ended_at"] is None


def test_times_are_utc_whatever_their_zone() -> None:
    east = timezone(timedelta(hours=2))
    assert rfc3339(datetime(2026, 1, 1, 12, 0, 0, 5_000, tzinfo=east)) == "2026-01-01T10:00:00.005Z"


def test_where_a_revoke_is_stuck_the_saga_may_still_be_aborted() -> None:
    saga = shape("n|r")
    state = begin(saga, "s", saga.start({}), NOW, request="r", traceparent=None).state
    revoking = decide(saga, state, CancelRequested(), NOW).state

    said = waiting_for(replace(revoking, status=Status.STUCK), saga)

    assert said is not None
    assert said.endswith("Retry it, skip it, or abort the saga.")
