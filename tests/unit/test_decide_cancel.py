"""A client's cancel and the saga's own deadline: at every moment of a saga."""

from datetime import timedelta

import pytest

from support.shapes import shape
from support.story import Story, given


def _in_flight(notation: str, timeout: str | None = None) -> Story:
    return given(shape(notation, timeout=timeout)).started().sent("one")


def test_a_cancel_undoes_the_step_in_flight_because_it_may_have_run_then_those_before() -> None:
    (
        _in_flight("uu")
        .succeeded()
        .sent("two")
        .cancelled()
        .told_events("step-unknown", "cancelled")
        .is_compensating()
        .because("cancelled")
        .sent("undo", id="s1/two/compensation")
        .succeeded()
        .sent("undo", id="s1/one/compensation")
        .succeeded()
        .is_compensated()
        .because("cancelled")
    )


def test_a_cancel_during_a_backoff_sends_no_further_attempt() -> None:
    _in_flight("uu").failed().nothing_sent().cancelled().sent("undo", id="s1/one/compensation")


def test_a_cancel_of_a_step_without_an_undo_asks_first_whether_it_had_happened() -> None:
    _in_flight("nu").cancelled().told_events("step-unknown").is_running().sent("revoke")


def test_a_revoked_step_is_the_end_of_a_cancelled_saga_with_nothing_before_it() -> None:
    story = _in_flight("nu").cancelled().sent("revoke").succeeded()
    story.told_events("step-compensated", "cancelled", "compensated").is_compensated()


def test_a_cancel_that_finds_a_step_without_an_undo_done_undoes_those_before() -> None:
    story = _in_flight("unu").succeeded().sent("two").cancelled().sent("revoke").had_happened()
    story.told_events("step-succeeded", "cancelled").sent("undo", id="s1/one/compensation").succeeded().is_compensated()


def test_a_cancel_that_finds_the_pivot_done_came_too_late() -> None:
    story = _in_flight("un|r").succeeded().sent("two").cancelled().sent("revoke").had_happened()
    story.told_events("step-succeeded").is_running().sent("three").succeeded().is_completed()
    assert story.state.failure is None


def test_a_cancel_that_finds_the_last_step_done_came_too_late() -> None:
    _in_flight("n").cancelled().sent("revoke").had_happened().is_completed()


def test_a_cancel_after_the_pivot_is_refused() -> None:
    _in_flight("n|r").succeeded().sent("two").cancelled().refused("pivot-passed")
    _in_flight("|r").cancelled().refused("pivot-passed")


def test_a_second_cancel_is_accepted_and_changes_nothing() -> None:
    _in_flight("u").cancelled().cancelled().nothing_changed()
    _in_flight("n").cancelled().cancelled().nothing_changed()


def test_a_cancel_of_a_saga_that_compensates_already_is_accepted_and_changes_nothing() -> None:
    story = _in_flight("uu").succeeded().sent("two").rejected("no").is_compensating()
    story.cancelled().nothing_changed().because("no")


def test_a_cancel_of_a_stuck_saga_is_refused() -> None:
    _in_flight("|r").rejected().is_stuck().cancelled().refused("not-running")


def test_a_saga_resumed_by_an_operator_before_the_pivot_can_be_cancelled() -> None:
    story = given(shape("uu", fragile=True)).started(number=666).sent("one").succeeded(one=13).is_stuck()
    story.retried().is_running().sent("one").cancelled().is_stuck().because("internal")


def test_a_saga_resumed_by_an_operator_after_the_pivot_refuses_a_cancel() -> None:
    story = given(shape("|rr", fragile=True)).started().sent("one").succeeded(one=13).is_stuck()
    story.retried().is_running().cancelled().refused("pivot-passed")


def test_a_cancel_while_an_operators_skip_is_being_settled_is_refused() -> None:
    story = given(shape("nn", fragile=True)).started().sent("one").cancelled().sent("revoke")
    while story.unanswered().pending.held:
        story.backed_off()
    story.is_stuck().skipped(one=1).is_running().cancelled().refused("skipping")


def test_a_participant_cannot_make_it_look_as_if_a_client_had_cancelled() -> None:
    story = given(shape("u", attempts=1)).started().sent("one").failed("cancelled")
    story.told_events("step-failed", "step-unknown").because("failed")


@pytest.mark.parametrize(("notation", "then"), [("u", "undo"), ("n", "revoke")])
def test_the_sagas_own_deadline_undoes_it_like_a_cancel(notation: str, then: str) -> None:
    story = _in_flight(notation, timeout="10s").after(10).woken().because("deadline").sent(then)
    assert story.step("one").status == ("compensating" if then == "undo" else "unknown")
    assert "cancelled" not in story.state.last.events


def test_the_sagas_own_deadline_is_awaited_by_a_timer() -> None:
    story = _in_flight("u", timeout="2s")
    assert story.wakes_in_s() == 2
    assert story.state.deadline_at == story.now + timedelta(seconds=2)


def test_the_sagas_own_deadline_holds_also_while_nobody_listens() -> None:
    story = _in_flight("u", timeout="10s").after(11)
    story.woken(watched_since=story.now, queued=(story.pending.command_id,)).sent("undo")


def test_after_the_pivot_the_sagas_own_deadline_is_ignored() -> None:
    story = _in_flight("n|r", timeout="10s").succeeded().sent("two").after(11).woken().is_running()
    assert story.wakes_in_s() is not None
    assert story.state.wake_at > story.now  # type: ignore[operator]
    story.succeeded().is_completed()


def test_the_sagas_own_deadline_does_not_interrupt_compensating_or_revoking() -> None:
    _in_flight("u", timeout="10s").cancelled().after(11).woken().is_compensating().because("cancelled")
    _in_flight("n", timeout="10s").cancelled().after(11).woken().is_running().because("cancelled").sent("revoke")
