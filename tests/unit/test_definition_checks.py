"""A definition that can't work is refused when it is built, with a message that names saga, step and field."""

from collections.abc import Callable
from typing import Any

import pytest
from pydantic import BaseModel, Field, RootModel

from sagas import Command, Endpoint, InvalidDefinition, Reply, Retry, Saga, SagaData, SagaInput, pivot, step, undo


class Reserve(Command):
    product: str


class Reserved(Reply):
    amount: int


class Release(Command):
    pass


class Done(Reply):
    pass


class Charge(Command):
    amount: int


class Charged(Reply):
    payment_id: str


class Refund(Command):
    payment_id: str


class RefundAmount(Command):
    amount: int


class Place(SagaInput):
    product: str
    note: str | None = None


class Order(SagaData):
    product: str
    note: str | None = None
    amount: int | None = None
    payment_id: str | None = None


RESERVE = Endpoint("inventory", Reserve, Reserved)
RELEASE = Endpoint("inventory", Release, Done)
CHARGE = Endpoint("payment", Charge, Charged)
REFUND = Endpoint("payment", Refund, Done)
REFUND_AMOUNT = Endpoint("payment", RefundAmount, Done)


def problems(build: Callable[[], Saga]) -> list[str]:
    with pytest.raises(InvalidDefinition) as refused:
        build()
    assert str(refused.value) == "\n".join(refused.value.problems)
    return list(refused.value.problems)


def order(*steps: Any, data: Any = Order, **changed: Any) -> Saga:
    settings = {"version": 1, "input": Place, "data": data, "steps": list(steps), **changed}
    return Saga("order", **settings)


def reserve(**changed: Any) -> Any:
    return step("reserve", RESERVE, **{"undo": undo(RELEASE), **changed})


def charge(**changed: Any) -> Any:
    return step("charge", CHARGE, **{"undo": undo(REFUND_AMOUNT), **changed})


def ask(command: type[Command], name: str = "ask") -> Any:
    return step(name, Endpoint("others", command, Done), undo=None)


# --- fields of commands -------------------------------------------------------------------------------------------


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

    maybe = step("maybe", Endpoint("inventory", Reserve, Maybe), undo=None)
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


# --- compensations ------------------------------------------------------------------------------------------------


def test_a_compensation_cannot_use_its_own_steps_reply() -> None:
    assert problems(lambda: order(reserve(), charge(undo=undo(REFUND)))) == [
        "order/charge undo: Refund.payment_id wants str, but Order.payment_id comes from this step's own reply, "
        "which is missing when its outcome is unknown"
    ]


def test_a_compensation_cannot_use_a_later_reply() -> None:
    late = step("late", Endpoint("inventory", Reserve, Charged), undo=None)
    early = step("early", Endpoint("payment", Reserve, Done), undo=undo(REFUND))
    assert problems(lambda: order(early, late)) == [
        "order/early undo: Refund.payment_id wants str, but Order.payment_id is filled only later, by late"
    ]


def test_a_compensation_can_use_earlier_replies_and_the_input() -> None:
    order(reserve(), charge(undo=undo(REFUND_AMOUNT)))


def test_a_later_reply_must_not_spoil_what_a_compensation_needs() -> None:
    class Unpriced(Reply):
        amount: int | None = None

    spoil = step("spoil", Endpoint("others", Release, Unpriced), undo=None)
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


# --- input, data, replies -----------------------------------------------------------------------------------------


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


# --- names, list, pivot -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["", "Order", "a/b", "a.b", "1a", "-a", "a b", "x" * 65, "a\n", None])
def test_names_fit_ids_and_urls(name: Any) -> None:
    [problem] = problems(lambda: Saga(name, version=1, input=Place, data=Order, steps=[reserve()]))
    assert problem.startswith(f"Saga {name!r}: the name {name!r}")
    assert f"the name {name!r}" in problems(lambda: order(step(name, RESERVE, undo=None)))[0]


def test_step_names_are_unique() -> None:
    assert problems(lambda: order(reserve(), reserve())) == ["order/reserve: 2 steps have this name"]


@pytest.mark.parametrize("version", [0, -1, 1.5, "1", True, 2**31])
def test_versions_count_from_one(version: Any) -> None:
    assert problems(lambda: order(reserve(), version=version)) == [
        f"order: version={version!r} must be a whole number from 1"
    ]


def test_a_saga_has_at_least_one_step_and_at_most_a_hundred() -> None:
    assert problems(lambda: order()) == ["order: a saga has 1 to 100 steps, this one has 0"]
    assert problems(lambda: order(pivot())) == ["order: a saga has 1 to 100 steps, this one has 0"]
    many = [step(f"s{number}", RELEASE, undo=None) for number in range(101)]
    assert problems(lambda: order(*many)) == ["order: a saga has 1 to 100 steps, this one has 101"]
    assert len(order(*many[:100]).steps) == 100


def test_the_list_holds_steps_and_pivots_only() -> None:
    assert problems(lambda: order(reserve(), RESERVE)) == [
        "order: steps= holds Endpoint('inventory.reserve'), which is neither step(...) nor pivot()"
    ]


def test_the_pivot_is_the_step_before_the_marker() -> None:
    assert order(reserve(), pivot(), step("charge", CHARGE)).pivot == 0
    assert order(reserve(), charge(), pivot()).pivot == 1


def test_a_marker_at_the_start_is_passed_at_once() -> None:
    assert order(pivot(), step("reserve", RESERVE), step("charge", CHARGE)).pivot == -1


def test_without_a_marker_the_last_step_is_the_pivot() -> None:
    assert order(reserve(), step("charge", CHARGE)).pivot == 1
    assert order(reserve(), charge()).pivot == 1


def test_there_is_one_point_of_no_return() -> None:
    assert problems(lambda: order(reserve(), pivot(), pivot())) == ["order: pivot() may occur only once"]


def test_a_step_before_the_pivot_says_how_it_is_undone_or_that_there_is_nothing_to_undo() -> None:
    silent = step("reserve", RESERVE)
    expected = ["order/reserve: say how the step is undone, undo=undo(...), or undo=None if there is nothing to undo"]
    assert problems(lambda: order(silent, charge())) == expected
    assert problems(lambda: order(silent, pivot())) == expected
    order(step("reserve", RESERVE, undo=None), charge())


def test_a_step_after_the_pivot_has_no_undo() -> None:
    assert problems(lambda: order(pivot(), reserve())) == [
        "order/reserve: undo= is of no use after the pivot, where a step is retried until it succeeds"
    ]
    order(pivot(), step("reserve", RESERVE, undo=None))


# --- timings, functions, messages ---------------------------------------------------------------------------------


@pytest.mark.parametrize("timeout", ["soon", 0, -1, "8d", None, True])
def test_a_step_waits_for_a_bounded_time(timeout: Any) -> None:
    assert problems(lambda: order(reserve(timeout=timeout)))[0].startswith("order/reserve: timeout=")
    assert problems(lambda: order(reserve(undo=undo(RELEASE, timeout=timeout))))[0].startswith(
        "order/reserve undo: timeout="
    )


@pytest.mark.parametrize("timeout", ["soon", 0, "366d"])
def test_a_sagas_own_deadline_is_bounded(timeout: Any) -> None:
    assert problems(lambda: order(reserve(), timeout=timeout))[0].startswith("order: timeout=")


def test_a_retry_is_a_retry() -> None:
    assert problems(lambda: order(reserve(retry=3))) == ["order/reserve: retry=3 must be Retry(...)"]
    assert order(reserve(retry=Retry(attempts=1))).steps[0].retry.attempts == 1


def test_a_definition_does_no_io() -> None:
    async def make(data: Order) -> Reserve:
        return Reserve(product=data.product)

    [problem] = problems(lambda: order(reserve(command=make)))
    assert problem == "order/reserve: command is an async function, but a definition does no I/O"
    assert problems(lambda: order(reserve(merge={"amount": "amount"})))[0].endswith("is not a function")


@pytest.mark.parametrize("wrong", [RELEASE, True, "release", {}])
def test_an_undo_is_an_undo(wrong: Any) -> None:
    assert problems(lambda: order(reserve(undo=wrong))) == [f"order/reserve: undo={wrong!r} must be undo(...) or None"]


def test_endpoints_are_endpoints() -> None:
    assert problems(lambda: order(step("x", "inventory.reserve", undo=undo("y"))))[:2] == [  # type: ignore[arg-type]
        "order/x: 'inventory.reserve' is not an Endpoint",
        "order/x undo: 'y' is not an Endpoint",
    ]


def test_one_message_type_means_one_message() -> None:
    class Other(Command):
        product: str
        note: str | None

    class Same(Command):
        """Another class of the same shape."""

        product: str

    clash = Endpoint("inventory", Other, Reserved, name="reserve")
    assert problems(lambda: order(reserve(), step("again", clash))) == [
        "order: two different messages are called inventory.reserve; give one endpoint another name="
    ]
    order(reserve(), step("again", Endpoint("inventory", Same, Reserved, name="reserve")))


def test_all_problems_are_reported_at_once() -> None:
    found = problems(lambda: order(reserve(timeout="soon"), reserve(retry=3), version=0))
    assert len(found) == 4
