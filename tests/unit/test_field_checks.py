"""A definition whose fields don't fit together is refused when it is built, and the message names them."""

from collections.abc import Callable
from typing import Any

import pytest
from pydantic import BaseModel, Field, RootModel

from sagas import Command, Endpoint, Node, Reply, SagaData, pivot, step, undo
from support.definitions import (
    CHARGE,
    REFUND,
    REFUND_AMOUNT,
    RELEASE,
    RESERVE,
    Charge,
    Charged,
    Done,
    Order,
    Refund,
    Release,
    Reserve,
    charge,
    order,
    problems,
    reserve,
)


def ask(command: type[Command], name: str = "ask") -> Any:
    return step(name, Endpoint("others", command, Done), undo=None)


def test_a_required_command_field_must_be_a_field_of_the_data() -> None:
    class Bare(SagaData):
        product: str
        note: str | None = None

    assert problems(lambda: order(reserve(), charge(undo=None), data=Bare)) == [
        "order/charge: Charge.amount is required, but Bare has no field 'amount'"
    ]


def test_a_command_field_must_have_been_filled_by_then() -> None:
    assert problems(lambda: order(charge(undo=None), reserve())) == [
        "order/charge: Charge.amount wants int, but Order.amount is filled only later, by reserve"
    ]


def test_a_command_field_that_no_reply_fills_is_missing() -> None:
    class Ask(Command):
        payment_id: str

    assert problems(lambda: order(reserve(), ask(Ask))) == [
        "order/ask: Ask.payment_id wants str, but Order.payment_id is filled by no reply"
    ]


def test_a_command_field_must_have_the_right_type() -> None:
    class Ask(Command):
        product: int

    assert problems(lambda: order(ask(Ask))) == [
        "order/ask: Ask.product wants int, but Order.product is str (from input)"
    ]


def test_an_optional_field_of_the_input_may_be_missing() -> None:
    class Ask(Command):
        note: str

    assert problems(lambda: order(ask(Ask))) == [
        "order/ask: Ask.note wants str, but Order.note is str | None (from input)"
    ]


def test_a_command_field_with_a_default_must_still_accept_what_the_data_holds() -> None:
    class Ask(Command):
        amount: int = 0
        unheard_of: int = 0

    assert problems(lambda: order(ask(Ask), reserve())) == [
        "order/ask: Ask.amount wants int, but Order.amount is filled only later, by reserve"
    ]


def test_a_default_of_the_data_fills_a_command() -> None:
    class Priced(Order):
        currency: str = "EUR"
        tags: list[str] | None = Field(default_factory=list)

    class Ask(Command):
        currency: str
        tags: list[str]

    order(ask(Ask), data=Priced)


def test_an_optional_reply_field_may_be_missing() -> None:
    class Maybe(Reply):
        amount: int | None = None

    maybe: Node[Order] = step("maybe", Endpoint("inventory", Reserve, Maybe), undo=None)
    assert problems(lambda: order(maybe, charge(undo=None))) == [
        "order/charge: Charge.amount wants int, but Order.amount is int | None (from maybe)"
    ]


def test_a_function_may_fill_what_names_do_not() -> None:
    class Ask(Command):
        unheard_of: int

    endpoint = Endpoint("others", Ask, Done)
    order(step("ask", endpoint, lambda d: Ask(unheard_of=1)))


def test_after_a_merge_function_a_field_may_be_filled() -> None:
    order(step("reserve", RESERVE, undo=undo(RELEASE), merge=lambda d, r: {"amount": r.amount}), charge())
    assert problems(lambda: order(charge(undo=None), reserve(merge=lambda d, r: {"amount": r.amount})))


def test_a_merge_function_does_not_make_an_optional_input_certain() -> None:
    class Ask(Command):
        note: str

    merged = reserve(merge=lambda d, r: {"amount": r.amount})
    assert problems(lambda: order(merged, ask(Ask))) == [
        "order/ask: Ask.note wants str, but Order.note is str | None (from input)"
    ]


def test_a_compensation_cannot_use_its_own_steps_reply() -> None:
    assert problems(lambda: order(reserve(), charge(undo=undo(REFUND)))) == [
        "order/charge undo: Refund.payment_id wants str, but Order.payment_id comes from this step's own reply, "
        "which is missing when its outcome is unknown"
    ]


def test_a_compensation_cannot_use_a_later_reply() -> None:
    late: Node[Order] = step("late", Endpoint("inventory", Reserve, Charged), undo=None)
    early: Node[Order] = step("early", Endpoint("payment", Reserve, Done), undo=undo(REFUND))
    assert problems(lambda: order(early, late)) == [
        "order/early undo: Refund.payment_id wants str, but Order.payment_id is filled only later, by late"
    ]


def test_a_compensation_can_use_earlier_replies_and_the_input() -> None:
    order(reserve(), charge(undo=undo(REFUND_AMOUNT)))


def test_a_later_reply_must_not_spoil_what_a_compensation_needs() -> None:
    class Unpriced(Reply):
        amount: int | None = None

    spoil: Node[Order] = step("spoil", Endpoint("others", Release, Unpriced), undo=None)
    assert problems(lambda: order(reserve(), charge(), spoil, step("end", CHARGE, lambda d: Charge(amount=1)))) == [
        "order/charge undo: RefundAmount.amount wants int, but spoil may overwrite Order.amount with int | None"
    ]
    order(reserve(), charge(), pivot(), step("spoil", Endpoint("others", Release, Unpriced)))


def test_a_compensation_goes_to_the_participant_that_did_the_action() -> None:
    [problem] = problems(lambda: order(reserve(undo=undo(REFUND, lambda d: Refund(payment_id="x")))))
    assert problem == (
        "order/reserve undo: payment.refund goes to another participant than inventory.reserve, "
        "but only 'inventory' knows whether the action took effect"
    )


def test_an_action_cannot_undo_itself() -> None:
    assert problems(lambda: order(reserve(undo=undo(RESERVE)))) == [
        "order/reserve undo: inventory.reserve can't undo itself"
    ]


def test_the_data_has_a_place_for_every_input_field() -> None:
    class Small(SagaData):
        product: str

    assert problems(lambda: order(reserve(), data=Small)) == [
        "order: Place.note has no place: Small needs a field 'note'"
    ]


def test_the_data_takes_the_inputs_types() -> None:
    class Other(SagaData):
        product: int
        note: str = ""

    found = problems(lambda: order(step("x", RELEASE), data=Other))
    assert found == [
        "order: Place.product is str, but Other.product wants int",
        "order: Place.note is str | None, but Other.note wants str",
    ]


def test_what_replies_fill_needs_a_default() -> None:
    class Strict(Order):
        extra_field: int

    assert problems(lambda: order(reserve(), data=Strict)) == [
        "order: Strict.extra_field is not in Place: it needs a default (None)"
    ]


def test_data_that_would_be_lost_in_json_is_refused() -> None:
    class Secret(Order):
        token: str | None = Field(default=None, exclude=True)

    assert problems(lambda: order(reserve(), data=Secret)) == [
        "order: Secret.token is excluded from JSON, so it would be lost"
    ]


def test_a_reply_must_not_put_another_type_into_the_data() -> None:
    class Named(Reply):
        product: int

    assert problems(lambda: order(step("name", Endpoint("others", Release, Named)))) == [
        "order/name: Named.product is int, but Order.product wants str"
    ]


def test_an_input_that_takes_unknown_fields_is_refused() -> None:
    class Loose(BaseModel):
        product: str

    assert problems(lambda: order(reserve(), input=Loose)) == [
        "order: Loose must refuse unknown fields: derive it from SagaInput"
    ]


@pytest.mark.parametrize("model", [RootModel[int], dict, "Order", None])
def test_input_and_data_are_models_with_fields(model: Any) -> None:
    assert "must be a pydantic model with fields" in problems(lambda: order(reserve(), data=model))[0]
    assert "must be a pydantic model with fields" in problems(lambda: order(reserve(), input=model))[0]


def test_a_model_without_a_json_schema_is_refused() -> None:
    class Odd(Order):
        function: Callable[[], int] | None = None

    [problem] = problems(lambda: order(reserve(), data=Odd))
    assert problem.startswith("order: Odd has no JSON schema: ")
