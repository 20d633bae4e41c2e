"""The order saga that ships with the service."""

from typing import Any

import pytest
from pydantic import ValidationError

from sagas.order import order

ITEM = {"product_id": "boots", "quantity": 2}
PLACED = {"customer_id": "alice", "items": [ITEM]}


def test_an_order_is_reserved_charged_and_then_confirmed() -> None:
    reserve, charge, confirm = order.steps
    data = order.start({"customerId": "alice", "items": [{"productId": "boots", "quantity": 2}]})
    assert reserve.build_command(data) == {"items": [ITEM]}
    data |= reserve.merge_reply(data, {"amount": 3998})
    assert charge.build_command(data) == {"customer_id": "alice", "amount": 3998}
    assert charge.merge_reply(data, {}) == {}
    assert confirm.build_command(data) == {"order_id": None, **PLACED, "amount": 3998}
    assert confirm.merge_reply(data, {"order_id": "o-1"}) == {"order_id": "o-1"}
    assert (order.pivot, charge.build_undo(data), reserve.build_undo(data)) == (1, {}, {})


def test_types_and_timings_are_those_of_the_contract() -> None:
    assert [(one.name, one.endpoint.type, one.undo and one.undo.endpoint.type) for one in order.steps] == [
        ("reserve-stock", "inventory.reserve-stock", "inventory.release-stock"),
        ("charge-payment", "payment.charge-payment", "payment.refund-payment"),
        ("confirm", "orders.confirm-order", None),
    ]
    assert [one.timeout_s for one in order.steps] == [30, 10, 30]


def test_a_client_cannot_set_the_price() -> None:
    with pytest.raises(ValidationError, match="extra_forbidden"):
        order.start({**PLACED, "amount": 1})


@pytest.mark.parametrize(
    "wrong",
    [
        {"items": []},
        {"items": [ITEM] * 101},
        {"items": [{"product_id": "boots", "quantity": 0}]},
        {"items": [{"product_id": "boots", "quantity": 10_001}]},
        {"items": [{"product_id": "", "quantity": 1}]},
        {"items": [{"product_id": "boots", "quantity": 1, "price": 1}]},
        {"customer_id": "x" * 129},
        {"customer_id": "a\0b"},
        {"customer_id": "a\n"},
        {"order_id": ""},
    ],
)
def test_orders_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        order.start({**PLACED, **wrong})


def test_a_negative_amount_is_never_charged() -> None:
    with pytest.raises(ValueError, match=r"order/reserve-stock: StockReserved\.amount"):
        order.steps[0].merge_reply(order.start(PLACED), {"amount": -1})
