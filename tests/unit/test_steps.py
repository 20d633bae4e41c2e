"""What a saga's steps make of data and replies; and whatever happens, only `CannotBuild` and `CannotMerge` come out."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Self

import pytest
from pydantic import Field, model_validator

from sagas import CannotBuild, CannotMerge, Command, Endpoint, NotStorable, Reply, Saga, SagaData, step, undo
from sagas.sendable import MAX_SENT_BYTES
from sagas.steps import MAX_DATA_BYTES
from support.purchase import CHARGE, REFUND, STARTED, Charge, Charged, Place, Purchase, Refund, Refunded, charge, ship


def missing(_: Purchase) -> Any:
    """A function with a bug."""
    nothing: dict[str, Any] = {}
    return nothing["x"]


def with_functions(command: Any = None, merge: Any = None, undo_command: Any = None) -> Saga:
    """The purchase, with functions as a caller without a type checker may write them."""
    return Saga(
        "purchase",
        version=1,
        input=Place,
        data=Purchase,
        steps=[step("charge", CHARGE, command, merge=merge, undo=undo(REFUND, undo_command))],
    )


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


def test_a_reply_that_makes_a_saga_too_large_is_not_merged() -> None:
    large = {**STARTED, "customer": "a" * (MAX_DATA_BYTES - 200)}
    assert charge.merge_reply(large, {"payment_id": "p1"})["payment_id"] == "p1"
    with pytest.raises(CannotMerge, match="more than 1,048,576 bytes"):
        charge.merge_reply(large, {"payment_id": "p" * 200})


def test_nor_does_a_saga_begin_with_more() -> None:
    with pytest.raises(NotStorable, match="more than 1,048,576 bytes"):
        with_functions().start({"customer": "a" * MAX_DATA_BYTES, "cents": 1, "at": "2026-01-02T03:04:05Z"})


@pytest.mark.parametrize("saga", [with_functions(), with_functions(lambda d: Charge(**d.model_dump()))])
def test_a_command_that_no_stream_takes_is_not_built(saga: Saga) -> None:
    largest = {**STARTED, "customer": "a" * (MAX_SENT_BYTES - 60)}
    assert saga.steps[0].build_command(largest)["cents"] == 1999
    with pytest.raises(CannotBuild, match="Charge: data is larger than 262144 bytes"):
        saga.steps[0].build_command({**STARTED, "customer": "a" * MAX_SENT_BYTES})


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
        (missing, "Charge: KeyError: 'x'"),
        (lambda d: Refund(customer="x"), "the function gave Refund instead of Charge"),
        (lambda d: None, "the function gave NoneType instead of Charge"),
        (
            lambda d: Charge.model_validate({"customer": None, "cents": 1}),
            r"Charge\.customer: Input should be a valid string",
        ),
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
    [made] = with_functions(undo_command=missing).steps
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
