"""An event that starts a saga: checked when it is written, and what its functions say of an event's data."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import pytest

from sagas import CannotStart, Definitions, Event, InvalidDefinition, Saga
from support.definitions import order, problems, reserve


def event(**given: Any) -> Event:
    settings: dict[str, Any] = {"type": "ORDER_CREATED", "stream": "orders", "key": lambda data: data["id"], **given}
    return Event(settings.pop("type"), **settings)


def saga(name: str = "order", version: int = 1, **given: Any) -> Saga:
    return Saga(
        name, version=version, input=order(reserve()).input, data=order(reserve()).data, steps=[reserve()], **given
    )


def said(**given: Any) -> str:
    with pytest.raises(InvalidDefinition) as refused:
        event(**given)
    return str(refused.value)


def test_it_reads_as_it_is_written_and_never_changes() -> None:
    made = Event("ORDER_CREATED", stream="orders-stream", key=lambda data: data["orderId"])

    assert (made.type, made.stream, made.start, made.input) == ("ORDER_CREATED", "orders-stream", "$", None)
    with pytest.raises(dataclasses.FrozenInstanceError):
        made.stream = "elsewhere"  # type: ignore[misc]  # what is tried


@pytest.mark.parametrize("name", ["", "a b", "a\n", 'a"b', "<b>", "ä", "x" * 256, None, 7])
def test_names_are_visible_ascii(name: Any) -> None:
    assert "1 to 255 visible ASCII characters" in said(type=name)
    assert "1 to 255 visible ASCII characters" in said(stream=name)


@pytest.mark.parametrize("name", ["com.example/order.created", "orders:{eu}:v2", "ORDER_CREATED", "a#b@c"])
def test_names_of_other_services_are_taken_as_they_are(name: str) -> None:
    assert event(type=name, stream=name).stream == name


def test_every_problem_is_told() -> None:
    async def later(_: Mapping[str, Any]) -> str:
        return ""

    assert said(key="id", start="0", stream="").count("\n") == 2
    assert "key= 'id' is not a function" in said(key="id")
    assert "key= is an async function" in said(key=later)
    assert "input= 7 is not a function" in said(input=7)
    assert "start='0' must be '$' (what comes from now on) or 'beginning'" in said(start="0")


def test_a_saga_takes_nothing_else() -> None:
    assert problems(lambda: order(reserve(), starts_on="ORDER_CREATED")) == [
        "order: starts_on='ORDER_CREATED' must be Event(...)"
    ]


@pytest.mark.parametrize(("found", "key"), [("o-1", "o-1"), (7, "7"), ("x" * 512, "x" * 512), (0, "0")])
def test_a_key_is_a_string_or_an_int(found: Any, key: str) -> None:
    assert event(key=lambda _: found).key_of({}) == key


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        ("", "an empty string"),
        (" \t", "an empty string"),
        (None, "NoneType instead of a string or an int"),
        (True, "bool instead of a string or an int"),
        (1.5, "float instead of a string or an int"),
        (["a"], "list instead of a string or an int"),
        ("x" * 513, "513 characters"),
    ],
)
def test_what_is_no_key_is_said(found: Any, reason: str) -> None:
    with pytest.raises(CannotStart, match=reason):
        event(key=lambda _: found).key_of({})


def test_a_function_that_raises_is_said() -> None:
    with pytest.raises(CannotStart, match=r"key= raised KeyError: 'id'"):
        event().key_of({})
    with pytest.raises(CannotStart, match=r"input= raised ZeroDivisionError"):
        event(input=lambda _: {"a": 1 // 0}).input_of({})


def test_the_input_is_the_data_unless_a_function_makes_it() -> None:
    assert event().input_of({"product": "boots"}) == {"product": "boots"}
    assert event(input=lambda data: {"product": data["sku"]}).input_of({"sku": "boots"}) == {"product": "boots"}
    with pytest.raises(CannotStart, match="input= gave str"):
        event(input=lambda _: "boots").input_of({})


def test_a_saga_under_way_does_not_depend_on_it() -> None:
    assert saga(starts_on=event()).fingerprint == saga().fingerprint


def test_it_is_shown_in_the_json_and_in_the_diagram() -> None:
    shown = saga(starts_on=event(type="order#created", start="beginning"))

    assert shown.to_json()["starts_on"] == {"type": "order#created", "stream": "orders", "start": "beginning"}
    assert saga().to_json()["starts_on"] is None
    assert 'start(["order#35;created<br/>orders"])' in shown.mermaid()
    assert "start([start])" in saga().mermaid()


def test_a_saga_starts_as_its_newest_version_says() -> None:
    old, new = saga(starts_on=event()), saga(version=2, starts_on=event(stream="elsewhere"))
    other = saga("other", starts_on=event(type="PAID", stream="elsewhere"))

    assert Definitions([old, new, other]).starting_on == {"elsewhere": [new, other]}
    assert Definitions([old, saga(version=2)]).starting_on == {}


def test_a_stream_is_read_once_and_so_from_one_place() -> None:
    with pytest.raises(
        InvalidDefinition, match=r"one and two start on the stream 'orders'.* give their events the same"
    ):
        Definitions([saga("one", starts_on=event()), saga("two", starts_on=event(start="beginning"))])
