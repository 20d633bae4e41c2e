"""What must not happen, and what follows where it does: replies that do not fit, commands that cannot be built."""

from orchestrator.core.conclude import unsent
from sagas.order import order
from support.shapes import BREAKS_NEXT, BREAKS_START, BREAKS_UNDO, shape
from support.story import given


def test_a_first_command_that_cannot_be_built_ends_the_saga_before_anything_happened() -> None:
    story = (
        given(shape("u", fragile=True)).started(number=BREAKS_START).nothing_sent().is_compensated().because("internal")
    )
    story.told_events("started", "compensated")
    assert story.state.revision == 1
    assert story.state.wake_at is not None
    events = story.decision.events
    story.woken_when_due().nothing_sent()
    assert story.decision.events == events
    assert story.state.wake_at is None


def test_a_reply_that_cannot_be_merged_undoes_its_step_too() -> None:
    story = given(order).started().sent("reserve-stock").succeeded(amount="a lot")
    story.is_compensating().because("internal").sent("release-stock").succeeded().is_compensated()


def test_a_reply_of_a_step_without_an_undo_that_cannot_be_merged_revokes_it() -> None:
    story = given(shape("nu")).started().sent("one").succeeded(one="x").is_running().sent("revoke")
    story.had_happened().is_compensated().because("internal")


def test_a_command_that_cannot_be_built_undoes_the_step_before_it_too() -> None:
    story = given(shape("uuu", fragile=True)).started().sent("one").succeeded(one=BREAKS_NEXT)
    story.is_compensating().because("internal").sent("undo", id="s1/one/compensation").succeeded().is_compensated()


def test_a_pivots_reply_that_cannot_be_merged_waits_for_a_person() -> None:
    story = given(shape("un|r")).started().sent("one").succeeded().sent("two").succeeded(two="x")
    story.is_stuck().nothing_sent().because("internal").told_events("stuck")
    story.succeeded(two=2).is_running().sent("three").succeeded().is_completed()


def test_after_the_pivot_a_fault_waits_for_a_person_and_a_corrected_definition_resumes() -> None:
    story = given(shape("n|rr", fragile=True)).started().sent("one").succeeded().sent("two")
    two = story.command
    story.succeeded(two=BREAKS_NEXT).is_stuck().because("internal")
    story.answering(two).succeeded(two=BREAKS_NEXT).refused("internal")
    story.saga = shape("n|rr")
    story.after(300).woken().sent("two").succeeded(two=BREAKS_NEXT).is_running().sent("three")


def test_a_compensation_that_cannot_be_built_waits_for_a_person() -> None:
    story = given(shape("uu", fragile=True)).started(number=BREAKS_UNDO).sent("one").cancelled()
    story.is_stuck().nothing_sent().because("internal")
    assert story.pending.command_id == "s1/one/action"


def test_a_stuck_sagas_command_that_cannot_be_built_is_looked_at_again_later() -> None:
    story = given(shape("uu", undo_attempts=1)).started(number=BREAKS_UNDO).sent("one").succeeded().sent("two")
    story.rejected().sent("undo").failed().is_stuck()
    story.saga = shape("uu", fragile=True)
    story.after(300).woken().nothing_sent().is_stuck()
    assert story.wakes_in_s() is not None
    assert 0 < (story.wakes_in_s() or 0) <= 300


def test_a_command_that_cannot_be_built_any_more_after_its_backoff_is_not_looked_at_all_the_time() -> None:
    story = given(shape("n|rr")).started().sent("one").succeeded().sent("two").succeeded(two=BREAKS_NEXT)
    story.sent("three").failed().nothing_sent()
    story.saga = shape("n|rr", fragile=True)
    story.backed_off().nothing_sent().is_stuck().because("internal")
    assert not story.pending.held
    story.woken().nothing_sent()
    assert 0 < (story.wakes_in_s() or 0) <= 300
    story.saga = shape("n|rr")
    story.woken_when_due().sent("three", attempt=2).succeeded().is_completed()


def test_a_stuck_sagas_command_that_its_stream_refused_is_not_looked_at_all_the_time_either() -> None:
    story = given(shape("uu", undo_attempts=1)).started(number=BREAKS_UNDO).sent("one").succeeded().sent("two")
    story.rejected().sent("undo").failed().is_stuck()
    story.state = unsent(story.saga, story.state, story.now)
    story.saga = shape("uu", fragile=True)
    story.woken_when_due().nothing_sent().is_stuck()
    assert 0 < (story.wakes_in_s() or 0) <= 300
    story.saga = shape("uu")
    story.woken_when_due().sent("undo").succeeded().is_compensated()


def test_a_revokes_answer_that_cannot_be_merged_waits_for_a_person() -> None:
    story = given(shape("n|r", attempts=1)).started().sent("one").unanswered().sent("revoke")
    story.had_happened(one="x").is_stuck().because("timeout")
    assert story.state.last.code == "internal"
    story.had_happened(one=1).is_running().sent("two")


def test_a_failure_inside_compensating_keeps_its_cause() -> None:
    story = given(shape("uuu")).started(number=BREAKS_UNDO).sent("one").succeeded().sent("two").succeeded()
    story.sent("three").rejected("no").sent("undo", id="s1/two/compensation")
    story.saga = shape("uuu", fragile=True)
    story.succeeded().is_stuck().because("no")
    assert story.state.last.code == "internal"
    story.saga = shape("uuu")
    story.succeeded().sent("undo", id="s1/one/compensation")


def test_an_unexpected_reply_shape_never_breaks_a_saga() -> None:
    story = given(shape("u")).started().sent("one")
    story.rejected(10**5000, detail="\ud800").is_compensating().because("internal")  # type: ignore[arg-type]
