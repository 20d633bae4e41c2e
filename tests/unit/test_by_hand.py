"""What a person may give in place of a step's reply."""

from typing import Any

import pytest

from sagas.by_hand import reply_by_hand
from sagas.errors import CannotMerge
from sagas.order import order
from sagas.storable import NotStorable
from support.orders import ONE_PAIR

DATA = order.start(ONE_PAIR)


def test_the_fields_that_later_steps_need_are_stored_in_the_sagas_own_form() -> None:
    assert reply_by_hand(order, 0, DATA, {"amount": "1999"}) == {"amount": 1999}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "give amount, which later steps take from this step's reply"),
        ({"amount": 1, "prize": 2}, "Order has no field prize"),
        ({"amount": "much"}, "Order.amount"),
        ({"amount": -1}, "Order.amount"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_field(given: dict[str, Any], words: str) -> None:
    with pytest.raises(CannotMerge, match=words):
        reply_by_hand(order, 0, DATA, given)


def test_what_cannot_be_stored_is_refused() -> None:
    with pytest.raises(NotStorable):
        reply_by_hand(order, 0, DATA, {"amount": 2**64})


def test_the_last_step_needs_nothing() -> None:
    assert reply_by_hand(order, 2, {**DATA, "amount": 1999}, {}) == {}
