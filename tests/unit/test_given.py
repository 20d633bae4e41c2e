"""What `given` says of a test that is wrong, in words that name what the saga really did."""

import pytest

from chaos.given import Story, given
from sagas.order import order

BOOTS = {"product_id": "boots", "quantity": 1}


def story() -> Story:
    return given(order).started(customer_id="alice", items=[BOOTS]).sent("reserve-stock")


def test_a_reply_has_the_fields_of_its_endpoint_and_no_others() -> None:
    with pytest.raises(AssertionError, match=r"the reply to inventory\.reserve-stock has no amnt"):
        story().succeeded(amnt=1)


def test_another_end_than_the_one_expected_says_which_and_why() -> None:
    ended = story().rejected("out-of-stock")
    with pytest.raises(AssertionError, match=r"not completed; .* compensated because of out-of-stock in reserve-stock"):
        ended.is_completed()
    with pytest.raises(AssertionError, match="no command awaits its reply; the saga is compensated"):
        ended.unanswered()


def test_another_cause_than_the_one_expected_says_which() -> None:
    with pytest.raises(AssertionError, match=r"not because of broken; .* because of out-of-stock"):
        story().rejected("out-of-stock").because("broken")
    with pytest.raises(AssertionError, match="nothing has failed"):
        story().because("broken")


def test_an_answer_after_the_end_must_be_meant() -> None:
    ended = story().rejected("out-of-stock")
    with pytest.raises(AssertionError, match=r"has its answer; .* the saga is compensated because of out-of-stock"):
        ended.succeeded()
    ended.answering(ended.command).succeeded().nothing_changed()
