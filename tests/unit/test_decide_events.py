"""What is told about a saga, and what its revisions and its history say."""

from dataclasses import asdict
from typing import Any

from sagas.order import order
from support.shapes import shape
from support.story import given


def test_each_transition_is_told_in_the_order_in_which_it_happened() -> None:
    story = given(order).started().told_events("started").sent("reserve-stock").succeeded()
    story.told_events("step-succeeded").sent("charge-payment").rejected("insufficient-funds")
    story.told_events("step-rejected").sent("release-stock").succeeded().told_events("step-compensated", "compensated")


def test_the_last_step_tells_also_that_the_saga_is_completed() -> None:
    given(shape("n")).started().sent("one").succeeded().told_events("step-succeeded", "completed")


def test_an_events_id_is_the_sagas_the_revision_and_its_place() -> None:
    story = given(shape("u")).started().sent("one").rejected("no")
    assert [event.id for event in story.decision.events] == ["s1/2/0", "s1/2/1"]
    assert [event.type for event in story.decision.events] == ["saga.shaped.step-rejected", "saga.shaped.compensated"]


def test_an_event_says_where_the_saga_stands() -> None:
    story = given(order).started().sent("reserve-stock").after(1).rejected("out-of-stock")
    assert story.decision.events[0].data._asdict() == {
        "saga": "order",
        "version": 1,
        "revision": 2,
        "status": "compensated",
        "step": "reserve-stock",
        "attempt": 1,
        "code": "out-of-stock",
    }
    assert story.decision.events[0].time == story.now


def test_what_operators_ask_for_is_history_and_not_an_event() -> None:
    story = given(shape("|r")).started().sent("one").rejected().retried().told_events()
    assert story.state.last.events == ("retried",)
    assert story.state.last.detail == "try again"


def test_each_transition_is_one_revision() -> None:
    story = given(order).started()
    assert story.state.revision == 1
    story.sent("reserve-stock").succeeded().sent("charge-payment").succeeded().sent("confirm").succeeded()
    assert story.state.revision == 4
    assert story.decision.transition == story.state.last


def test_a_saga_can_be_rebuilt_from_the_data_in_its_history() -> None:
    story = given(order).started()
    data: dict[str, Any] = {}
    for name in ("reserve-stock", "charge-payment", "confirm"):
        data.update(story.state.last.data or {})
        story.sent(name).succeeded()
    data.update(story.state.last.data or {})
    assert data == story.state.data


def test_a_step_shows_when_it_began_and_ended_and_what_went_wrong() -> None:
    story = given(shape("uu")).started().sent("one").unanswered().after(1).succeeded()
    step = story.step("one")
    assert (step.started_at, step.ended_at, step.attempts, step.error) == (story.state.created_at, story.now, 2, None)
    story.sent("two").rejected("no")
    assert asdict(story.step("two"))["error"] == {"code": "no", "detail": "", "step": None}


def test_an_end_that_a_reply_caused_needs_no_timer() -> None:
    story = given(shape("n")).started().sent("one").succeeded().is_completed()
    assert story.state.wake_at is None


def test_an_end_that_no_reply_caused_keeps_its_timer_until_its_events_are_out() -> None:
    story = given(shape("|r")).started().sent("one").rejected().skipped(one=1).is_completed()
    events = story.decision.events
    story.woken_when_due()
    assert (story.decision.events, story.state.wake_at, story.decision.transition) == (events, None, None)


def test_a_timer_may_come_early_but_never_late() -> None:
    story = given(shape("uu")).started().sent("one").after(1).succeeded().sent("two")
    assert story.wakes_in_s() == 2, "the earlier time that stood already is kept"
    story.woken_when_due().nothing_sent()
    assert story.wakes_in_s() == 1
