"""Commands, replies, endpoints and refusals: what both sides of the wire agree on."""

import copy

import pytest
from pydantic import Field, ValidationError

from sagas import Command, Endpoint, InvalidDefinition, Reject, Reply, SagaInput
from sagas.contracts import kebab_case


class ReserveStock(Command):
    product_id: str
    quantity: int = 1


class StockReserved(Reply):
    amount: int


class Revoke(Command):
    pass


class Line(SagaInput):
    product_id: str


class Place(SagaInput):
    customer_id: str
    lines: tuple[Line, ...] = ()


def test_the_message_type_is_the_participant_and_the_command_in_kebab_case() -> None:
    endpoint = Endpoint("inventory", ReserveStock, StockReserved)
    assert (endpoint.type, endpoint.name) == ("inventory.reserve-stock", "reserve-stock")
    assert repr(endpoint) == "Endpoint('inventory.reserve-stock')"


def test_an_endpoint_can_be_given_another_name() -> None:
    assert Endpoint("inventory", ReserveStock, StockReserved, name="take").type == "inventory.take"


def test_equal_endpoints_are_one_key() -> None:
    one, other = (Endpoint("inventory", ReserveStock, StockReserved) for _ in range(2))
    assert {one: 1}[other] == 1
    with pytest.raises(AttributeError):
        one.name = "other"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("class_name", "name"),
    [
        ("ReserveStock", "reserve-stock"),
        ("Charge", "charge"),
        ("HTTPCall", "http-call"),
        ("SendSMS", "send-sms"),
        ("ChargeV2", "charge-v2"),
        ("V2Charge", "v2-charge"),
    ],
)
def test_class_names_become_kebab_case(class_name: str, name: str) -> None:
    assert kebab_case(class_name) == name


@pytest.mark.parametrize("participant", ["", "Inventory", "in/ventory", "in.ventory", "1st", "x" * 65, "a\n"])
def test_a_participant_name_that_does_not_fit_a_stream_is_refused(participant: str) -> None:
    with pytest.raises(InvalidDefinition, match="the name"):
        Endpoint(participant, ReserveStock, StockReserved)


def test_the_name_revoke_is_reserved() -> None:
    with pytest.raises(InvalidDefinition, match="'revoke' is reserved"):
        Endpoint("inventory", Revoke, StockReserved)


def test_an_endpoint_joins_a_command_and_a_reply() -> None:
    with pytest.raises(InvalidDefinition, match="must be a subclass of Command"):
        Endpoint("inventory", StockReserved, StockReserved)  # type: ignore[type-var]
    with pytest.raises(InvalidDefinition, match="must be a subclass of Reply"):
        Endpoint("inventory", ReserveStock, ReserveStock)  # type: ignore[type-var]


def test_unknown_fields_of_commands_and_replies_are_ignored() -> None:
    assert ReserveStock.model_validate({"product_id": "boots", "since": "v2"}) == ReserveStock(product_id="boots")
    assert StockReserved.model_validate({"amount": 1, "since": "v2"}) == StockReserved(amount=1)


def test_commands_never_change() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        ReserveStock(product_id="boots").quantity = 2  # type: ignore[misc]


def test_a_foreign_field_name_is_used_on_the_wire_and_ours_in_code() -> None:
    class Charge(Command):
        customer_id: str = Field(alias="customerNumber")

    assert Charge(customer_id="alice").model_dump() == {"customerNumber": "alice"}
    assert Charge.model_validate({"customerNumber": "alice"}).customer_id == "alice"


def test_an_input_accepts_camel_case_and_is_shown_in_snake_case() -> None:
    sent = Place.model_validate({"customerId": "alice", "lines": [{"productId": "boots"}, {"product_id": "hat"}]})
    assert sent.model_dump() == {"customer_id": "alice", "lines": ({"product_id": "boots"}, {"product_id": "hat"})}
    assert set(Place.model_json_schema()["properties"]) == {"customer_id", "lines"}


@pytest.mark.parametrize(
    "sent",
    [
        {"customer_id": "alice", "amount": 1},
        {"customer_id": "alice", "customerId": "bob"},
        {"customer_id": "alice", "lines": [{"product_id": "boots", "price": 0}]},
    ],
)
def test_an_input_refuses_unknown_fields_at_any_depth_and_both_spellings_at_once(sent: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match="extra_forbidden"):
        Place.model_validate(sent)


def test_a_refusal_is_a_value_too() -> None:
    refusal = Reject("out-of-stock", "2 boots are missing")
    assert refusal == Reject("out-of-stock", "2 boots are missing") != Reject("out-of-stock")
    assert len({refusal, Reject("out-of-stock", "2 boots are missing")}) == 1
    assert (refusal.code, refusal.detail, str(refusal)) == (
        "out-of-stock",
        "2 boots are missing",
        "out-of-stock: 2 boots are missing",
    )
    assert str(Reject("declined")) == "declined"
    assert copy.copy(refusal) == refusal
