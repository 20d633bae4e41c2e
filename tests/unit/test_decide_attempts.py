"""Attempts: what counts as one, what does not, and what happens when they are used up."""

from datetime import timedelta

import pytest

from orchestrator.core.conclude import repeat
from sagas.order import order
from support.shapes import shape
from support.story import given


def test_a_failed_attempt_is_repeated_after_a_backoff_under_the_same_id() -> None:
    story = given(shape("u")).started().sent("one", attempt=1)
    story.failed().nothing_sent().is_running().told_events("step-failed")
    assert 500 <= (story.pending.sent_at - story.now) / timedelta(milliseconds=1) <= 1000
    story.backed_off().sent("one", attempt=2, id="s1/one/action")


def test_silence_is_repeated_at_once_under_the_same_id() -> None:
    story = given(shape("u")).started().sent("one", attempt=1).unanswered().sent("one", attempt=2, id="s1/one/action")
    assert story.step("one").attempts == 2
    assert story.step("one").error is not None
    assert story.command.first_time < story.command.time


def test_a_step_that_used_up_its_attempts_may_have_run_and_is_compensated_too() -> None:
    (
        given(shape("uu"))
        .started()
        .sent("one")
        .succeeded()
        .sent("two")
        .unanswered()
        .sent("two", attempt=2)
        .unanswered()
        .told_events("step-failed", "step-unknown")
        .is_compensating()
        .because("timeout")
        .sent("undo", id="s1/two/compensation")
        .succeeded()
        .sent("undo", id="s1/one/compensation")
        .succeeded()
        .is_compensated()
    )


def test_failures_use_up_attempts_like_silence() -> None:
    (
        given(shape("u"))
        .started()
        .sent("one")
        .failed("db-down")
        .backed_off()
        .sent("one", attempt=2)
        .failed("db-down")
        .sent("undo")
        .because("db-down")
    )


@pytest.mark.parametrize("notation", ["un", "nu"])
def test_a_step_without_an_undo_that_used_up_its_attempts_is_revoked(notation: str) -> None:
    story = given(shape(notation, attempts=1)).started()
    story = story.sent("one").succeeded() if notation == "un" else story
    story.sent("do").unanswered().is_running().sent("revoke", attempt=1)
    assert story.command.undoes == f"s1/{story.command.step}/action"
    assert story.command.kind == "revoke"


def test_a_late_success_is_accepted_whatever_its_attempt() -> None:
    story = given(shape("uu")).started().sent("one")
    first = story.command
    story.unanswered().sent("one", attempt=2).answering(first).succeeded().sent("two")


def test_a_late_success_is_accepted_during_a_backoff() -> None:
    given(shape("uu")).started().sent("one").failed().nothing_sent().succeeded().sent("two")


def test_a_late_rejection_is_accepted_whatever_its_attempt() -> None:
    story = given(shape("u")).started().sent("one")
    first = story.command
    story.unanswered().sent("one", attempt=2).answering(first).rejected().is_compensated()


def test_only_a_failure_of_the_newest_attempt_counts() -> None:
    story = given(shape("u")).started().sent("one").unanswered().sent("one", attempt=2)
    story.failed(attempt=1).nothing_changed()
    story.failed(attempt=3).nothing_changed()
    story.failed(attempt=2).is_compensating()


def test_a_success_after_the_step_was_given_up_comes_too_late() -> None:
    story = given(shape("u", attempts=1)).started().sent("one")
    action = story.command
    story.unanswered().sent("undo").answering(action).succeeded().nothing_changed()


def test_after_the_pivot_a_step_is_tried_for_ever() -> None:
    story = given(shape("n|r", attempts=1)).started().sent("one").succeeded().sent("two")
    for attempt in range(2, 30):
        story.unanswered().is_running().nothing_sent().backed_off().sent("two", attempt=attempt, id="s1/two/action")
        assert story.pending.needs_attention is (attempt > 10)
    story.failed().is_running()
    assert (story.pending.sent_at - story.now) >= timedelta(seconds=30)
    story.backed_off().sent("two", attempt=30).succeeded().is_completed()


def test_losing_a_message_is_not_an_attempt_it_is_sent_again_after_3_9_and_21_seconds() -> None:
    story = given(shape("u")).started().sent("one")
    for seconds in (3, 6, 12):
        assert story.wakes_in_s() == seconds
        story.woken_when_due().sent("one", attempt=1, id="s1/one/action")
        assert story.decision.transition is None
    assert story.step("one").attempts == 1
    story.succeeded().is_completed()


def test_every_sending_again_repeats_the_newest_events() -> None:
    story = given(shape("u")).started().sent("one")
    events = story.decision.events
    assert story.woken_when_due().decision.events == events


def test_a_queued_command_is_neither_sent_again_nor_counted() -> None:
    story = given(shape("u", attempts=1)).started().sent("one")
    queued = (story.command.id,)
    for _ in range(20):
        story.woken_when_due(queued=queued).nothing_sent().is_running()
        assert story.decision.transition is None
    assert story.now - story.state.created_at > timedelta(minutes=2)
    story.succeeded().is_completed()


def test_an_engine_that_did_not_listen_begins_the_deadline_anew_instead_of_counting() -> None:
    story = given(shape("u", attempts=1)).started().sent("one")
    story.now = story.pending.deadline
    came_back = story.now
    story.woken(watched_since=came_back).is_running().sent("one", attempt=1)
    assert story.decision.transition is None
    assert story.pending.deadline == came_back + timedelta(seconds=30)
    assert story.wakes_in_s() == 3
    story.now = story.pending.deadline
    story.woken(watched_since=came_back).sent("undo")


def test_a_backoff_that_ended_while_nobody_listened_begins_anew_too() -> None:
    story = given(shape("u")).started().sent("one").failed().nothing_sent().after(100)
    story.woken(watched_since=story.now).sent("one", attempt=2)
    assert not story.pending.held
    assert story.pending.sent_at == story.now


def test_a_held_attempt_is_not_sent_before_its_time() -> None:
    story = given(shape("u")).started().sent("one").failed().after(0.1).woken().nothing_sent()
    assert story.state.wake_at == story.pending.sent_at


def test_a_timer_that_comes_early_sends_nothing_and_looks_again_in_time() -> None:
    story = given(shape("u")).started().sent("one").after(1).woken().nothing_sent()
    assert story.wakes_in_s() == 2
    assert story.decision.transition is None


def test_a_redelivered_reply_repeats_what_its_revision_sent() -> None:
    story = given(order).started().sent("reserve-stock").succeeded()
    again = repeat(order, story.state, story.now)
    assert (again.commands, again.events) == (story.decision.commands, story.decision.events)
    assert again.transition is None


def test_a_redelivered_reply_does_not_cut_a_backoff_short() -> None:
    story = given(shape("u")).started().sent("one").failed()
    assert repeat(story.saga, story.state, story.now).commands == ()
    assert len(repeat(story.saga, story.state, story.pending.sent_at).commands) == 1


def test_equal_retries_are_folded_into_one_history_entry() -> None:
    story = given(shape("u", attempts=5)).started().sent("one").failed()
    assert not story.decision.folded
    story.backed_off().failed(attempt=2)
    assert (story.decision.folded, story.state.last.count, story.state.last.attempt) == (True, 2, 2)
    story.backed_off().failed("other", attempt=3)
    assert (story.decision.folded, story.state.last.count) == (False, 1)
    story.unanswered()
    assert not story.decision.folded


def test_equal_retries_of_different_commands_are_not_folded() -> None:
    story = given(shape("u", attempts=2)).started().sent("one").unanswered()
    story.unanswered().sent("undo").unanswered()
    assert not story.decision.folded
