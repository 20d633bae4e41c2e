"""The order saga's ways, and what starting, succeeding and being rejected mean in any saga."""

from sagas.order import order
from support.shapes import shape
from support.story import given


def test_an_order_is_reserved_then_charged_then_confirmed() -> None:
    story = (
        given(order)
        .started()
        .sent("reserve-stock", attempt=1, id="s1/reserve-stock/action")
        .succeeded(amount=4200)
        .sent("charge-payment", attempt=1, id="s1/charge-payment/action")
        .succeeded()
        .sent("confirm-order", id="s1/confirm/action")
        .succeeded(order_id="o-7")
        .nothing_sent()
        .is_completed()
        .steps_are(reserve_stock="succeeded", charge_payment="succeeded", confirm="succeeded")
    )
    assert story.state.data["order_id"] == "o-7"
    assert story.state.pending == ()
    assert story.state.ended_at == story.now


def test_a_reply_fills_the_data_that_later_commands_take() -> None:
    story = given(order).started().sent("reserve-stock").succeeded(amount=4200).sent("charge-payment")
    assert story.command.data == {"customer_id": "alice", "amount": 4200}
    assert story.state.last.data == {"amount": 4200}


def test_an_order_out_of_stock_has_nothing_to_undo() -> None:
    (
        given(order)
        .started()
        .sent("reserve-stock")
        .rejected("out-of-stock")
        .nothing_sent()
        .is_compensated()
        .because("out-of-stock")
        .steps_are(reserve_stock="rejected", charge_payment="pending", confirm="pending")
    )


def test_a_declined_payment_releases_the_stock() -> None:
    (
        given(order)
        .started()
        .sent("reserve-stock")
        .succeeded()
        .sent("charge-payment")
        .rejected("insufficient-funds")
        .is_compensating()
        .sent("release-stock", id="s1/reserve-stock/compensation")
        .succeeded()
        .is_compensated()
        .because("insufficient-funds")
        .steps_are(reserve_stock="compensated", charge_payment="rejected", confirm="pending")
    )


def test_a_rejection_at_the_pivot_compensates_the_steps_before_newest_first() -> None:
    (
        given(shape("uun|r"))
        .started()
        .sent("one")
        .succeeded()
        .sent("two")
        .succeeded()
        .sent("three")
        .rejected()
        .sent("undo", id="s1/two/compensation")
        .succeeded()
        .sent("undo", id="s1/one/compensation")
        .succeeded()
        .is_compensated()
    )


def test_a_step_with_nothing_to_undo_is_passed_over_when_compensating() -> None:
    (
        given(shape("unu"))
        .started()
        .sent("one")
        .succeeded()
        .sent("two")
        .succeeded()
        .sent("three")
        .rejected()
        .sent("undo", id="s1/one/compensation")
        .succeeded()
        .is_compensated()
        .steps_are(one="compensated", two="succeeded", three="rejected")
    )


def test_a_rejection_after_the_pivot_waits_for_a_person() -> None:
    story = given(order).started().sent("reserve-stock").succeeded().sent("charge-payment").succeeded()
    story.sent("confirm").rejected("no-such-customer").nothing_sent().is_stuck().because("no-such-customer")
    assert story.state.pending == ()
    assert story.state.wake_at is None


def test_a_saga_whose_pivot_comes_first_never_compensates() -> None:
    given(shape("|rr")).started().sent("one").succeeded().sent("two").rejected().is_stuck()


def test_a_compensation_names_what_it_undoes_and_since_when_it_was_tried() -> None:
    story = given(shape("uu")).started().sent("one")
    action = story.command
    story.after(2).succeeded().sent("two").after(2).rejected().sent("undo")
    assert (story.command.undoes, story.command.undoes_time) == (action.id, action.first_time)
    assert (story.command.first_time, story.command.kind) == (story.now, "compensation")


def test_a_command_carries_its_deadline_and_the_trace_of_its_saga() -> None:
    command = given(order).started().sent("reserve-stock").command
    assert (command.expiry_time - command.time).total_seconds() == 30
    assert command.traceparent == "00-1-2-01"
    assert (command.participant, command.saga_id) == ("inventory", "s1")


def test_a_reply_to_another_command_than_the_pending_one_changes_nothing() -> None:
    story = given(order).started().sent("reserve-stock").succeeded()
    story.succeeded().nothing_changed()
    story.rejected().nothing_changed()
    story.failed().nothing_changed()


def test_a_completed_saga_changes_no_more() -> None:
    story = given(shape("n")).started().sent("one").succeeded().is_completed()
    for again in (story.succeeded, story.rejected, story.failed):
        story.answering(story.command)
        again().nothing_changed()
    story.cancelled().refused("not-running")
    for request in (story.retried, story.skipped, story.aborted):
        request().refused("not-stuck")


def test_a_compensated_saga_changes_no_more() -> None:
    story = given(shape("u")).started().sent("one").rejected().is_compensated()
    story.answering(story.command).succeeded().nothing_changed()
    story.cancelled().refused("not-running")
    story.retried().refused("not-stuck")


def test_a_rejection_says_why_even_where_the_participant_does_not() -> None:
    story = given(shape("u")).started().sent("one").rejected("").because("rejected")
    assert story.step("one").error is not None


def test_a_rejection_is_cut_to_what_can_be_stored() -> None:
    story = given(shape("u")).started().sent("one").rejected("\ud800" + "x" * 1000, detail=["y" * 5000])
    failure = story.state.failure
    assert failure is not None
    assert (failure.code, len(failure.detail)) == ("?" + "x" * 99, 1000)
