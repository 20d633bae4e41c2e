"""A definition as JSON and as a diagram, and the fingerprint that says whether a saga in flight could go on."""

import json
from typing import Any

import pytest
from pydantic import Field

from sagas import Command, Endpoint, Reply, Retry, Saga, SagaData, SagaInput, pivot, step, undo
from sagas.order import order


class Place(SagaInput):
    product: str


class Data(SagaData):
    product: str
    amount: int | None = None
    currency: str = "EUR"


class Reserve(Command):
    product: str


class Reserved(Reply):
    amount: int


class Pay(Command):
    amount: int
    currency: str
    memo: str = ""


class Done(Reply):
    pass


RESERVE = Endpoint("stock", Reserve, Reserved)
RELEASE = Endpoint("stock", Reserve, Done, name="release")
PAY = Endpoint("bank", Pay, Done)


def saga(**changed: Any) -> Saga:
    settings: dict[str, Any] = {
        "version": 1,
        "input": Place,
        "data": Data,
        "steps": [step("reserve", RESERVE, undo=undo(RELEASE)), step("pay", PAY, undo=None), pivot()],
    }
    return Saga("buy", **{**settings, **changed})


def test_the_json_names_everything_a_program_needs() -> None:
    shown = saga(timeout="1m").to_json()
    assert json.loads(json.dumps(shown)) == shown
    assert {name: shown[name] for name in ("name", "version", "timeout_s", "pivot", "fingerprint")} == {
        "name": "buy",
        "version": 1,
        "timeout_s": 60.0,
        "pivot": "pay",
        "fingerprint": saga().fingerprint,
    }
    assert set(shown["input"]["properties"]) == {"product"}
    assert set(shown["data"]["properties"]) == {"product", "amount", "currency"}
    reserve, pay = shown["steps"]
    assert (reserve["name"], reserve["kind"], reserve["merges"]) == ("reserve", "compensatable", ["amount"])
    assert {name: value for name, value in reserve["undo"].items() if name not in ("command", "reply")} == {
        "participant": "stock",
        "type": "stock.release",
        "timeout_s": 30.0,
        "retry": {"attempts": 20, "first_s": 1.0, "factor": 2.0, "max_s": 60.0},
        "fills": {"product": "input"},
    }
    assert (pay["kind"], pay["undo"], pay["merges"]) == ("pivot", None, [])
    assert set(pay["action"]["command"]["properties"]) == {"amount", "currency", "memo"}


def test_the_lineage_says_where_each_command_field_comes_from() -> None:
    reserve, pay = saga().to_json()["steps"]
    assert reserve["action"]["fills"] == {"product": "input"}
    assert pay["action"]["fills"] == {"amount": "reserve", "currency": "default", "memo": "default"}


def test_functions_are_opaque_in_the_json() -> None:
    shown = saga(
        steps=[
            step(
                "reserve",
                RESERVE,
                lambda d: Reserve(product="x"),
                merge=lambda d, r: {},
                undo=undo(RELEASE, lambda d: Reserve(product="x")),
            )
        ]
    ).to_json()["steps"][0]
    assert (shown["action"]["fills"], shown["undo"]["fills"], shown["merges"]) == (None, None, None)


def test_a_pivot_at_the_start_has_no_step() -> None:
    shown = saga(steps=[pivot(), step("reserve", RESERVE)]).to_json()
    assert (shown["pivot"], shown["steps"][0]["kind"]) == (None, "retriable")


def test_the_order_sagas_diagram() -> None:
    assert (
        order.mermaid()
        == """\
flowchart LR
    start([start])
    start --> s0["reserve-stock<br/>inventory"]
    s0 --> s1["charge-payment<br/>payment"]
    s1 --> pivot{{pivot}}
    pivot --> s2["confirm<br/>orders"]
    s2 --> completed([completed])
    u0["release-stock<br/>inventory"] -.-> compensated([compensated])
    s0 -. unknown .-> u0
    u1["refund-payment<br/>payment"] -.-> u0
    s1 -. unknown .-> u1
    s0 -. rejected .-> compensated([compensated])
    s1 -. rejected .-> u0
"""
    )


def test_the_diagram_of_a_step_with_nothing_to_undo() -> None:
    look = Endpoint("stock", Reserve, Done, name="look")
    shown = saga(
        steps=[
            step("reserve", RESERVE, undo=undo(RELEASE)),
            step("look", look, undo=None),
            step("pay", PAY),
        ]
    ).mermaid()
    assert (
        shown
        == """\
flowchart LR
    start([start])
    start --> s0["reserve<br/>stock"]
    s0 --> s1["look<br/>stock"]
    s1 --> s2["pay<br/>bank"]
    s2 --> completed([completed])
    u0["release<br/>stock"] -.-> compensated([compensated])
    s0 -. unknown .-> u0
    s0 -. rejected .-> compensated([compensated])
    s1 -. rejected .-> u0
    s2 -. rejected .-> u0
"""
    )


def test_the_diagram_of_a_saga_that_only_goes_forward() -> None:
    assert (
        saga(steps=[pivot(), step("reserve", RESERVE)]).mermaid()
        == """\
flowchart LR
    start([start])
    start --> pivot{{pivot}}
    pivot --> s0["reserve<br/>stock"]
    s0 --> completed([completed])
"""
    )


def test_the_fingerprint_of_the_order_saga_is_what_running_sagas_have_stored() -> None:
    assert order.fingerprint == "8b116af13c80d018"


def test_a_fingerprint_ignores_functions_timings_and_texts() -> None:
    class Reworded(Data):
        """Explained better."""

        product: str = Field(title="The product", description="What is bought", examples=["boots"])

    changed = saga(
        data=Reworded,
        version=2,
        timeout="1m",
        steps=[
            step("reserve", RESERVE, lambda d: Reserve(product="x"), undo=undo(RELEASE, timeout="9s"), timeout="9s"),
            step("pay", PAY, undo=None, retry=Retry(attempts=9), merge=lambda d, r: {}),
        ],
    )
    assert changed.fingerprint == saga().fingerprint


class Wider(Data):
    title: str | None = None


class OtherReserved(Reply):
    amount: int
    note: str | None = None


class OtherPlace(SagaInput):
    product: str = "boots"


@pytest.mark.parametrize(
    "changed",
    [
        {"data": Wider},
        {"input": OtherPlace},
        {"steps": [step("reserve", RESERVE, undo=undo(RELEASE))]},
        {"steps": [step("hold", RESERVE, undo=undo(RELEASE)), step("pay", PAY)]},
        {"steps": [step("reserve", RESERVE, undo=None), step("pay", PAY)]},
        {"steps": [step("reserve", RESERVE, undo=undo(RELEASE)), pivot(), step("pay", PAY)]},
        {
            "steps": [
                step("reserve", Endpoint("stock", Reserve, Reserved, name="r"), undo=undo(RELEASE)),
                step("pay", PAY),
            ]
        },
        {"steps": [step("reserve", Endpoint("stock", Reserve, OtherReserved), undo=undo(RELEASE)), step("pay", PAY)]},
    ],
)
def test_a_fingerprint_differs_when_steps_endpoints_pivot_or_schemas_differ(changed: dict[str, Any]) -> None:
    assert saga(**changed).fingerprint != saga().fingerprint
