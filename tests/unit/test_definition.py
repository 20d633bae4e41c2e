"""A saga that has been built: what its steps make of data and replies."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Self

import pytest
from pydantic import Field, ValidationError, model_validator

from sagas import (
    CannotBuild,
    CannotMerge,
    Command,
    Endpoint,
    NotStorable,
    Reply,
    Retry,
    Saga,
    SagaData,
    SagaInput,
    pivot,
    step,
    undo,
)


class Charge(Command):
    customer: str
    cents: int
    at: datetime | None = None


class Charged(Reply):
    payment_id: str
    fee: Decimal = Decimal(0)


class Refund(Command):
    customer: str


class Refunded(Reply):
    pass


class Ship(Command):
    payment_id: str


class Shipped(Reply):
    label: dict[str, Any]


class Place(SagaInput):
    customer: str
    cents: int
    at: datetime | None = None
    note: str = "none"


class Purchase(SagaData):
    customer: str
    cents: int
    at: datetime | None = None
    note: str
    payment_id: str | None = None
    fee: Decimal | None = None
    label: dict[str, Any] | None = None


CHARGE = Endpoint("payments", Charge, Charged)
REFUND = Endpoint("payments", Refund, Refunded)
SHIP = Endpoint("shipping", Ship, Shipped)

purchase = Saga(
    "purchase",
    version=3,
    input=Place,
    data=Purchase,
    timeout="15m",
    steps=[
        step("charge", CHARGE, undo=undo(REFUND, timeout="5s"), timeout="500ms", retry=Retry(attempts=7)),
        pivot(),
        step("ship", SHIP),
    ],
)
charge, ship = purchase.steps
STARTED = purchase.start({"customer": "alice", "cents": 1999, "at": "2026-01-02T03:04:05Z"})


def with_functions(command: Any = None, merge: Any = None, undo_command: Any = None) -> Saga:
    """The purchase, with functions as a caller without a type checker may write them."""
    return Saga(
        "purchase",
        version=1,
        input=Place,
        data=Purchase,
        steps=[step("charge", CHARGE, command, merge=merge, undo=undo(REFUND, undo_command))],
    )


def test_a_saga_shows_what_it_consists_of() -> None:
    assert (purchase.name, purchase.version, purchase.pivot, purchase.timeout_s) == ("purchase", 3, 0, 900)
    assert [one.name for one in purchase.steps] == ["charge", "ship"]
    assert (charge.timeout_s, charge.retry, charge.endpoint) == (0.5, Retry(attempts=7), CHARGE)
    assert charge.undo is not None
    assert (charge.undo.endpoint, charge.undo.timeout_s, charge.undo.retry.attempts) == (REFUND, 5, 20)
    assert (ship.timeout_s, ship.retry, ship.undo) == (30, Retry(), None)
    assert repr(purchase) == "Saga('purchase', version=3)"


def test_a_saga_never_changes() -> None:
    for name in ("name", "steps", "other"):
        with pytest.raises(AttributeError):
            setattr(purchase, name, "x")
    assert len({purchase, purchase}) == 1


def test_a_step_is_found_by_its_name() -> None:
    assert purchase.index("ship") == 1
    with pytest.raises(KeyError, match="no-such-step"):
        purchase.index("no-such-step")


def test_starting_makes_the_data_from_the_input() -> None:
    assert STARTED == {
        "customer": "alice",
        "cents": 1999,
        "at": "2026-01-02T03:04:05Z",
        "note": "none",
        "payment_id": None,
        "fee": None,
        "label": None,
    }


@pytest.mark.parametrize("wrong", [{}, {"customer": "alice"}, {"customer": "alice", "cents": 1, "payment_id": "mine"}])
def test_starting_refuses_what_a_client_may_not_send(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        purchase.start(wrong)


@pytest.mark.parametrize("wrong", [{"cents": 2**63}, {"cents": str(2**63)}, {"note": "\ud800"}])
def test_starting_refuses_what_cannot_be_stored(wrong: dict[str, Any]) -> None:
    sent = {"customer": "alice", "cents": 1, **wrong}
    for read in (purchase.start, purchase.input_json):
        with pytest.raises(NotStorable, match=f"/{next(iter(wrong))}: "):
            read(sent)


def test_two_spellings_of_one_request_are_equal_and_defaults_are_not_made_up() -> None:
    sent = {"customer": "alice", "cents": 1, "at": "2026-01-02T03:04:05+00:00"}
    assert purchase.input_json(sent) == {"customer": "alice", "cents": 1, "at": "2026-01-02T03:04:05Z"}
    assert purchase.input_json(sent) == purchase.input_json({"at": "2026-01-02T03:04:05Z", "cents": "1", **sent})
    assert purchase.input_json({**sent, "note": "none"}) != purchase.input_json(sent)


def test_a_command_is_filled_from_same_named_fields() -> None:
    assert charge.build_command(STARTED) == {"customer": "alice", "cents": 1999, "at": "2026-01-02T03:04:05Z"}
    assert charge.build_undo(STARTED) == {"customer": "alice"}
    assert ship.build_command({**STARTED, "payment_id": "p1"}) == {"payment_id": "p1"}


def test_a_command_is_sent_with_the_participants_own_field_names() -> None:
    class Ring(Command):
        customer: str = Field(alias="customerNumber")

    endpoint = Endpoint("phones", Ring, Refunded)
    saga = Saga("ring", version=1, input=Place, data=Purchase, steps=[step("ring", endpoint)])
    assert saga.steps[0].build_command(STARTED) == {"customerNumber": "alice"}


def test_a_reply_changes_same_named_fields_and_unknown_ones_are_ignored() -> None:
    assert charge.merge_reply(STARTED, {"payment_id": "p1", "fee": "0.30", "$new": 2**70}) == {
        "payment_id": "p1",
        "fee": "0.30",
    }


def test_only_what_differs_counts_as_changed() -> None:
    merged = {**STARTED, **charge.merge_reply(STARTED, {"payment_id": "p1"})}
    assert charge.merge_reply(merged, {"payment_id": "p1"}) == {}
    assert charge.merge_reply(merged, {"payment_id": "p2"}) == {"payment_id": "p2"}


def test_data_that_is_not_there_cannot_be_sent() -> None:
    with pytest.raises(CannotBuild, match=r"^purchase/ship: Ship\.payment_id: Input should be a valid string$"):
        ship.build_command(STARTED)
    with pytest.raises(CannotBuild, match=r"^purchase/ship: there is no undo$"):
        ship.build_undo(STARTED)


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        ({}, r"purchase/ship: Shipped\.label: Field required"),
        ({"label": "text"}, r"purchase/ship: Shipped\.label: Input should be an object"),
        ({"label": {"n": 2**63}}, r"purchase/ship: Shipped/label/n: the integer does not fit into 64 bits"),
        ({"label": {"x": float("nan")}}, r"purchase/ship: Shipped/label/x: NaN and Infinity"),
        ({"label": {"$set": 1}}, r"purchase/ship: Shipped/label/\$set: a key must not"),
        ({"label": {"s": "\ud800"}}, r"purchase/ship: Shipped: PydanticSerializationError"),
    ],
)
def test_a_reply_that_does_not_fit_cannot_be_merged(reply: dict[str, Any], message: str) -> None:
    with pytest.raises(CannotMerge, match=f"^{message}"):
        ship.merge_reply(STARTED, reply)


def test_messages_never_quote_the_payload() -> None:
    with pytest.raises(CannotMerge) as refused:
        charge.merge_reply(STARTED, {"payment_id": 4242_4242_4242_4242})
    assert "4242" not in str(refused.value)


def test_functions_get_the_data_and_the_reply_with_their_types() -> None:
    seen: list[Any] = []

    def make(data: Purchase) -> Charge:
        seen.append(data.at)
        return Charge(customer=data.customer.upper(), cents=data.cents + 1)

    def merge(data: Purchase, reply: Charged) -> Mapping[str, object]:
        seen.append(reply.fee)
        return {"note": f"{data.note}, {reply.payment_id}", "at": datetime(2027, 1, 1, tzinfo=UTC), "fee": reply.fee}

    [made] = with_functions(make, merge, lambda d: Refund(customer=d.note)).steps
    assert made.build_command(STARTED) == {"customer": "ALICE", "cents": 2000, "at": None}
    assert made.build_undo(STARTED) == {"customer": "none"}
    changes = made.merge_reply(STARTED, {"payment_id": "p1", "fee": "1"})
    assert changes == {"note": "none, p1", "at": "2027-01-01T00:00:00Z", "fee": "1"}
    assert seen == [datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), Decimal(1)]


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda d: {}["x"], "Charge: KeyError: 'x'"),
        (lambda d: Refund(customer="x"), "the function gave Refund instead of Charge"),
        (lambda d: None, "the function gave NoneType instead of Charge"),
        (lambda d: Charge(customer=None, cents=1), r"Charge\.customer: Input should be a valid string"),
        (lambda d: Charge(customer="x", cents=2**63), "Charge/cents: the integer does not fit"),
        (lambda: None, "TypeError"),
    ],
)
def test_whatever_a_command_function_does_the_step_cannot_be_built(function: Any, message: str) -> None:
    [made] = with_functions(function).steps
    with pytest.raises(CannotBuild, match=f"^purchase/charge: .*{message}"):
        made.build_command(STARTED)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda d, r: 1 / 0, "Charged: ZeroDivisionError"),
        (lambda d, r: None, "merge= gave NoneType instead of the changed fields"),
        (lambda d, r: {"payment": "p1"}, "merge= gave 'payment', but Purchase has no such field"),
        (lambda d, r: {"cents": "many"}, r"Purchase\.cents: Input should be a valid integer"),
        (lambda d, r: {"cents": 2**64}, "Charged/cents: the integer does not fit"),
        (lambda d, r: {"note": object()}, "PydanticSerializationError"),
    ],
)
def test_whatever_a_merge_function_does_the_reply_cannot_be_merged(function: Any, message: str) -> None:
    [made] = with_functions(merge=function).steps
    with pytest.raises(CannotMerge, match=f"^purchase/charge: .*{message}"):
        made.merge_reply(STARTED, {"payment_id": "p1"})


def test_an_undo_that_cannot_be_built_says_that_it_is_the_undo() -> None:
    [made] = with_functions(undo_command=lambda d: {}["x"]).steps
    with pytest.raises(CannotBuild, match=r"^purchase/charge undo: Refund: KeyError"):
        made.build_undo(STARTED)


def test_data_of_another_shape_is_no_crash() -> None:
    with pytest.raises(CannotBuild, match=r"Charge\.cents: Field required"):
        charge.build_command({"customer": "alice"})
    with pytest.raises(CannotMerge, match=r"Purchase\.customer: Field required"):
        charge.merge_reply({}, {"payment_id": "p1"})


def test_rules_across_fields_of_the_data_hold_after_a_merge() -> None:
    class Capped(Purchase):
        @model_validator(mode="after")
        def fee_within_price(self) -> Self:
            if self.fee is not None and self.fee > self.cents:
                raise ValueError("the fee is more than the price")
            return self

    [made] = Saga("capped", version=1, input=Place, data=Capped, steps=[step("charge", CHARGE)]).steps
    with pytest.raises(CannotMerge, match="the fee is more than the price"):
        made.merge_reply(STARTED, {"payment_id": "p1", "fee": "2000"})


def test_a_true_is_not_a_one() -> None:
    class Seen(Reply):
        label: dict[str, Any]

    class Free(SagaData):
        customer: str
        cents: int
        at: datetime | None
        note: str
        flag: Any = 1

    class Flagged(Reply):
        flag: Any

    endpoint = Endpoint("payments", Refund, Flagged)
    [made] = Saga("free", version=1, input=Place, data=Free, steps=[step("flag", endpoint)]).steps
    assert made.merge_reply({**STARTED, "flag": 1}, {"flag": True}) == {"flag": True}
