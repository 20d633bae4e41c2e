"""What an operator may do with a stuck saga, and what not."""

from typing import Any

import pytest

from sagas import Command, Endpoint, Saga, pivot, step
from sagas.nodes import Node
from sagas.order import order
from support.shapes import BREAKS_NEXT, BREAKS_START, BREAKS_UNDO, DoneOne, DoneThree, DoneTwo, Facts, Wish, shape
from support.story import Story, given


def _rejected_after_the_pivot(saga: Saga = order) -> Story:
    story = given(saga).started().sent("reserve-stock").succeeded().sent("charge-payment").succeeded()
    return story.sent("confirm").rejected("closed").is_stuck()


def _stuck_compensation() -> Story:
    story = given(shape("uu", undo_attempts=1)).started().sent("one").succeeded().sent("two").rejected("no")
    return story.sent("undo").failed().is_stuck()


def _stuck_revoke(notation: str = "un|r") -> Story:
    story = given(shape(notation, attempts=1)).started().sent("one").succeeded().sent("two").unanswered().sent("revoke")
    while story.state.status != "stuck":
        story.unanswered()
    return story


def _stuck_before_the_pivot(notation: str = "uu") -> Story:
    """Neither can it go on, nor can its step be undone: as its definition's functions are."""
    story = given(shape(notation, fragile=True)).started(number=BREAKS_UNDO).sent("one")
    return story.succeeded(one=BREAKS_NEXT).is_stuck().because("internal")


# -- a definition with a mistake -------------------------------------------------------------------------------------


def test_a_step_whose_own_command_cannot_be_built_any_more_can_be_counted_as_done() -> None:
    story = given(shape("n|rr")).started().sent("one").succeeded(one=BREAKS_NEXT).sent("two").failed()
    story.saga = shape("n|rr", fragile=True)
    story.backed_off().is_stuck().because("internal")
    story.skipped(two=2).sent("revoke").succeeded().is_running().sent("three").succeeded().is_completed()


# -- retry ---------------------------------------------------------------------------------------------------------


def test_a_retry_of_a_recorded_rejection_is_a_new_command_whose_attempts_go_on() -> None:
    story = _rejected_after_the_pivot().retried().is_running().sent("confirm", attempt=2, id="s1/confirm/action/2")
    assert story.state.failure is None
    assert story.command.first_time == story.now
    story.rejected("closed").is_stuck().retried().sent("confirm", attempt=3, id="s1/confirm/action/3")
    story.succeeded().is_completed()


def test_a_retried_rejection_is_again_tried_for_ever() -> None:
    story = _rejected_after_the_pivot().retried().sent("confirm")
    for attempt in range(3, 20):
        story.unanswered().backed_off().sent("confirm", attempt=attempt, id="s1/confirm/action/2")


def test_a_retry_of_a_stuck_compensation_is_a_fresh_budget_whose_attempts_go_on() -> None:
    story = _stuck_compensation().retried().is_compensating().sent("undo", attempt=2, id="s1/one/compensation")
    story.failed().is_stuck().retried().sent("undo", attempt=3).succeeded().is_compensated()


def test_a_retry_of_a_rejected_compensation_is_a_new_command() -> None:
    story = given(shape("uu", undo_attempts=1)).started().sent("one").succeeded().sent("two").rejected()
    story.sent("undo").rejected().is_stuck().retried().sent("undo", attempt=2, id="s1/one/compensation/2")
    story.rejected().is_stuck().retried().sent("undo", attempt=3, id="s1/one/compensation/3").succeeded()
    story.is_compensated()


def test_a_retry_of_a_stuck_revoke_asks_again() -> None:
    _stuck_revoke().retried().is_running().because("timeout").sent("revoke", attempt=21).succeeded().sent("undo")


# -- skip ----------------------------------------------------------------------------------------------------------


def test_a_rejected_step_done_by_hand_completes_the_saga() -> None:
    story = _rejected_after_the_pivot().skipped(order_id="o-9").nothing_sent().is_completed()
    assert story.state.data["order_id"] == "o-9"
    assert story.step("confirm").status == "skipped"
    assert story.wakes_in_s() == 3, "no reply caused this end: its events are repeated once"


def test_a_skipped_step_goes_on_with_the_next() -> None:
    given(shape("|rr")).started().sent("one").rejected().skipped(one=5).is_running().sent("two")


@pytest.mark.parametrize("data", [{"one": "x"}, {"nonsense": 1}, {"one": 2**64}, {"one": "\ud800"}])
def test_a_skip_with_data_that_does_not_fit_is_refused(data: dict[str, Any]) -> None:
    given(shape("|rr")).started().sent("one").rejected().skipped(**data).refused("invalid-data")


def test_a_skip_without_the_reply_fields_that_later_steps_need_is_refused() -> None:
    story = given(_one_needed_late()).started().sent("one").rejected().is_stuck()
    story.skipped().refused("invalid-data")
    assert "one" in str(story.decision.refused)
    story.skipped(one=None).refused("invalid-data")
    story.skipped(one="5").is_running().sent("two").succeeded().sent("three")
    assert story.command.data == {"one": 5}, "as the saga's data spells it"


def _one_needed_late() -> Saga:
    class Numbered(Command):
        number: int

    class NeedsOne(Command):
        one: int

    steps: list[Node[Facts]] = [
        pivot(),
        step("one", Endpoint("p-one", Numbered, DoneOne, name="do")),
        step("two", Endpoint("p-two", Numbered, DoneTwo, name="do")),
        step("three", Endpoint("p-three", NeedsOne, DoneThree, name="do")),
    ]
    return Saga("late", version=1, input=Wish, data=Facts, steps=steps)


def test_a_skip_after_which_the_next_command_cannot_be_built_is_refused() -> None:
    story = given(shape("|rr", fragile=True)).started().sent("one").rejected().is_stuck()
    story.skipped(one=BREAKS_NEXT).refused("invalid-data")


def test_a_compensation_done_by_hand_is_revoked_first_and_then_its_action_because_both_may_still_run() -> None:
    story = _stuck_compensation().skipped().is_compensating().sent("revoke", id="s1/one/revoke/2")
    assert story.command.undoes == "s1/one/compensation"
    story.succeeded().is_compensating().sent("revoke", id="s1/one/revoke")
    assert story.command.undoes == "s1/one/action"
    story.had_happened().is_compensated().steps_are(one="skipped", two="rejected")


def test_a_compensation_that_ran_after_all_needs_no_hand() -> None:
    story = _stuck_compensation().skipped().sent("revoke").rejected().is_compensated()
    story.steps_are(one="compensated", two="rejected")


def test_a_compensation_whose_action_never_happened_needs_no_hand() -> None:
    story = _stuck_compensation().skipped().sent("revoke").succeeded().sent("revoke").succeeded().is_compensated()
    story.steps_are(one="compensated", two="rejected")


def test_a_skipped_compensation_goes_on_with_the_one_before() -> None:
    story = given(shape("uu", attempts=1, undo_attempts=1)).started().sent("one").succeeded().sent("two").unanswered()
    story.sent("undo").unanswered().is_stuck().skipped().sent("revoke").succeeded().sent("revoke").had_happened()
    story.sent("undo", id="s1/one/compensation").succeeded().is_compensated()


def test_a_skip_of_a_stuck_revoke_waits_for_its_answer_and_goes_forward() -> None:
    story = _stuck_revoke().skipped(two=5).is_running().sent("revoke", attempt=21).succeeded()
    story.is_running().steps_are(one="succeeded", two="skipped").sent("three").succeeded().is_completed()
    assert story.state.data["two"] == 5


def test_a_skipped_step_that_had_happened_counts_as_done_so_that_a_later_failure_undoes_it() -> None:
    story = _stuck_before_the_pivot().skipped(one=1).sent("revoke").had_happened(one=1)
    story.is_running().steps_are(one="succeeded", two="running")


def test_an_operator_who_insists_needs_no_answer_to_the_revoke() -> None:
    story = _stuck_revoke().skipped(two=5)
    while story.state.status == "running":
        story.unanswered()
    story.is_stuck().skipped(two=6).is_running().sent("three")
    assert story.state.data["two"] == 6


def test_a_retry_of_a_skips_revoke_keeps_the_skip() -> None:
    story = _stuck_compensation().skipped().sent("revoke")
    while story.state.status == "compensating":
        story.unanswered()
    story.is_stuck().retried().is_compensating().sent("revoke", attempt=21, id="s1/one/revoke/2").succeeded()
    story.sent("revoke").had_happened().is_compensated().steps_are(one="skipped", two="rejected")


# -- abort -----------------------------------------------------------------------------------------------------------


def test_an_abort_after_the_pivot_is_refused() -> None:
    _rejected_after_the_pivot().aborted().refused("pivot-passed")


def test_an_abort_of_a_saga_that_compensates_is_refused() -> None:
    _stuck_compensation().aborted().refused("compensating")


def test_an_abort_before_the_pivot_undoes_the_step_in_flight_and_those_before() -> None:
    story = _stuck_before_the_pivot()
    story.saga = shape("uu")  # Its definition has been corrected.
    story.aborted().is_compensating().because("aborted").sent("undo", id="s1/one/compensation").succeeded()
    story.is_compensated().steps_are(one="compensated", two="pending")


def test_an_abort_of_a_step_without_an_undo_still_makes_sure_that_it_never_happens() -> None:
    story = _stuck_revoke().aborted().is_running().because("aborted").sent("revoke", attempt=21)
    story.succeeded().sent("undo", id="s1/one/compensation").succeeded().is_compensated()


def test_an_abort_that_finds_the_pivot_done_came_too_late() -> None:
    _stuck_revoke().aborted().sent("revoke").had_happened().is_running().sent("three").succeeded().is_completed()


def test_an_abort_takes_back_a_skip() -> None:
    story = _stuck_revoke().skipped(two=5)
    while story.state.status == "running":
        story.unanswered()
    story.aborted().sent("revoke").succeeded().sent("undo", id="s1/one/compensation")


# -- all three ---------------------------------------------------------------------------------------------------------


def test_only_a_stuck_saga_waits_for_an_operator() -> None:
    story = given(order).started()
    for request in (story.retried, story.skipped, story.aborted):
        request().refused("not-stuck")


def test_what_still_cannot_be_built_stays_stuck() -> None:
    _stuck_before_the_pivot().aborted().refused("internal")
    story = given(shape("|r")).started(number=BREAKS_START).sent("one").rejected().is_stuck()
    story.saga = shape("|r", fragile=True)
    story.retried().refused("internal")
