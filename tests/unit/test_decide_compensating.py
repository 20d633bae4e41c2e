"""Compensating: retried with backoff, then stuck, and still on its way."""

from datetime import timedelta

from support.shapes import shape
from support.story import Story, given


def _compensating(undo_attempts: int = 2) -> Story:
    saga = shape("uu", undo_attempts=undo_attempts)
    return given(saga).started().sent("one").succeeded().sent("two").rejected("no").sent("undo")


def _stuck() -> Story:
    return _compensating().failed().backed_off().sent("undo", attempt=2).failed("still-broken").is_stuck()


def test_a_failed_compensation_is_repeated_after_a_backoff_under_the_same_id() -> None:
    story = _compensating().failed().is_compensating().nothing_sent().backed_off()
    story.sent("undo", attempt=2, id="s1/one/compensation").succeeded().is_compensated()


def test_a_compensation_that_was_lost_is_sent_again_and_not_counted() -> None:
    _compensating().after(3).woken().sent("undo", attempt=1).after(6).woken().sent("undo", attempt=1)


def test_a_compensation_that_is_not_answered_is_repeated_after_a_backoff() -> None:
    story = _compensating().unanswered().nothing_sent().backed_off()
    story.sent("undo", attempt=2, id="s1/one/compensation").succeeded().is_compensated()


def test_a_foreign_participants_rejected_undo_is_repeated_under_a_new_id() -> None:
    story = _compensating().rejected("try-later").is_compensating().nothing_sent().backed_off()
    story.sent("undo", attempt=2, id="s1/one/compensation/2")
    assert story.command.undoes == "s1/one/action"
    assert story.command.first_time == story.now
    story.succeeded().is_compensated()


def test_a_compensation_whose_attempts_are_used_up_needs_a_person_and_keeps_its_cause() -> None:
    _stuck().told_events("step-failed", "stuck").because("no")


def test_a_stuck_compensation_is_sent_again_every_5_minutes_and_never_counted() -> None:
    story = _stuck()
    times = []
    story.woken()
    for _ in range(3):
        story.woken_when_due().sent("undo", attempt=2, id="s1/one/compensation").is_stuck()
        assert story.decision.transition is None
        times.append(story.now)
    assert times[2] - times[1] == times[1] - times[0] == timedelta(minutes=5)


def test_a_stuck_command_that_is_still_queued_is_not_sent_again() -> None:
    story = _stuck()
    story.woken_when_due(queued=(story.pending.command_id,)).nothing_sent()


def test_failures_of_a_stuck_compensation_change_nothing() -> None:
    story = _stuck().after(300).woken().sent("undo")
    story.failed().nothing_changed()


def test_a_rejection_of_a_stuck_compensation_is_remembered_once_so_that_a_retry_gets_a_new_id() -> None:
    story = _stuck().rejected("closed").is_stuck().nothing_sent().told_events("step-failed")
    story.rejected("closed").nothing_changed()
    story.retried().sent("undo", attempt=3, id="s1/one/compensation/2").succeeded().is_compensated()


def test_a_late_success_resumes_a_stuck_compensation() -> None:
    _stuck().succeeded().is_compensated().steps_are(one="compensated", two="rejected")


def test_a_late_success_of_a_stuck_compensation_goes_on_with_the_one_before() -> None:
    story = given(shape("uu", attempts=1, undo_attempts=1)).started().sent("one").succeeded().sent("two")
    story.unanswered().sent("undo").unanswered().is_stuck().succeeded().is_compensating()
    story.sent("undo", id="s1/one/compensation").succeeded().is_compensated()


def test_a_revoked_step_had_not_happened_so_those_before_are_undone() -> None:
    story = given(shape("unu", attempts=1)).started().sent("one").succeeded().sent("two").unanswered().sent("revoke")
    story.succeeded().told_events("step-compensated").sent("undo", id="s1/one/compensation").succeeded()
    story.is_compensated().steps_are(one="compensated", two="compensated", three="pending")


def test_a_step_without_an_undo_that_had_happened_is_left_and_those_before_are_undone() -> None:
    story = given(shape("unu", attempts=1)).started().sent("one").succeeded().sent("two").unanswered().sent("revoke")
    story.had_happened().sent("undo", id="s1/one/compensation").succeeded()
    story.is_compensated().steps_are(one="compensated", two="succeeded", three="pending")


def test_a_pivot_that_had_happened_goes_forward_with_its_stored_reply() -> None:
    story = given(shape("un|r", attempts=1)).started().sent("one").succeeded().sent("two").unanswered().sent("revoke")
    story.had_happened(two=7).is_running().sent("three")
    assert story.state.data["two"] == 7
    assert story.state.failure is None
    story.succeeded().is_completed()


def test_a_late_success_of_an_action_that_is_being_revoked_waits_for_the_revokes_answer() -> None:
    story = given(shape("n", attempts=1)).started().sent("one")
    action = story.command
    story.unanswered().sent("revoke").answering(action).succeeded().nothing_changed()


def test_a_revoke_is_retried_and_then_stuck() -> None:
    story = given(shape("n", attempts=1)).started().sent("one").unanswered().sent("revoke")
    for attempt in range(2, 21):
        story.unanswered().nothing_sent().backed_off().sent("revoke", attempt=attempt, id="s1/one/revoke")
    story.unanswered().is_stuck().succeeded().is_compensated()
