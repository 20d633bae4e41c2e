"""Which types of values fit which fields, when they travel as JSON."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from enum import IntEnum, StrEnum
from types import NoneType
from typing import Annotated, Any, Literal, NewType, Union

import pytest
from annotated_types import Interval
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter
from typing_extensions import TypeAliasType

from sagas.fields import fits, shown, without_none

CustomerId = NewType("CustomerId", str)
Cents = TypeAliasType("Cents", Annotated[int, Field(ge=0)])


Finite = Annotated[float, Interval(ge=-1e308, le=1e308)]

# The spelling of before Python 3.10, which contracts of others may still have.
Text = Union[None, str]  # noqa: UP007
OptionalCents = Union[Cents, None]  # noqa: UP007


class Colour(StrEnum):
    RED = "red"


class Level(IntEnum):
    LOW = 1


class Item(BaseModel):
    product: str
    quantity: int


class Line(BaseModel):
    product: str
    gift: bool = False


class Narrow(Line):
    model_config = ConfigDict(extra="forbid")


class Wrong(BaseModel):
    product: int


class Tree(BaseModel):
    children: list["Tree"] = []


class Bush(BaseModel):
    children: list["Bush"] = []


@pytest.mark.parametrize(
    ("source", "target"),
    [
        (int, int),
        (int, float),
        (int, int | None),
        (None, int | None),
        (None, Text),
        (int | str, str | int | None),
        (Any, int),
        (int, Any),
        (int, object),
        (Annotated[int, Field(ge=1)], int),
        (int, Annotated[int, Field(ge=1)]),
        (CustomerId, str),
        (Cents, int | None),
        (Colour, str),
        (Level, int),
        (Literal["a", "b"], str),
        (Literal["a"], Literal["a", "b"] | None),
        (list[int], Sequence[float]),
        (list[int], list),
        (set[str], list[str]),
        (tuple[int, int], list[int]),
        (tuple[int, ...], list[int]),
        (list[int], tuple[int, ...]),
        (tuple[int, str], tuple[float, str]),
        (dict[str, int], Mapping[str, float]),
        (dict, dict[str, int]),
        (Item, Item),
        (Item, Line),
        (Narrow, Line),
        (Line, Narrow),
        (list[Item], list[Line]),
        (Tree, Bush),
    ],
)
def test_fits(source: Any, target: Any) -> None:
    assert fits(source, target)


@pytest.mark.parametrize(
    ("source", "target"),
    [
        (str, int),
        (int, str),
        (float, int),
        (bool, int),
        (int, bool),
        (int | None, int),
        (None, int),
        (str, Colour),
        (Colour, int),
        (str, Literal["a"]),
        (Literal["a", 1], str),
        (Literal["a", "c"], Literal["a", "b"]),
        (datetime, str),
        (date, int),
        (datetime, date),
        (list[str], list[int]),
        (list[int | None], list[int]),
        (list[int], tuple[int, int]),
        (tuple[int, int], tuple[int]),
        (list[int], dict[str, int]),
        (dict[str, int], dict[str, str]),
        (dict[str, int], Item),
        (Line, Item),
        (Item, Wrong),
        (Item, Narrow),
        (Item, str),
    ],
)
def test_does_not_fit(source: Any, target: Any) -> None:
    assert not fits(source, target)


@pytest.mark.parametrize(
    ("annotation", "text"),
    [
        (int, "int"),
        (None, "None"),
        (OptionalCents, "int | None"),
        (list[Item] | None, "list[Item] | None"),
        (dict[str, Any], "dict[str, Any]"),
        (tuple[int, ...], "tuple[int, ...]"),
        (Literal["a", 1], "Literal['a', 1]"),
    ],
)
def test_types_are_shown_as_authors_write_them(annotation: Any, text: str) -> None:
    assert shown(annotation) == text


def test_none_is_taken_out_of_a_union() -> None:
    assert without_none(int | str | None) == int | str
    assert without_none(int | None) is int
    assert without_none(None) is None


ANNOTATIONS: list[Any] = [
    int,
    Finite,
    bool,
    str,
    NoneType,
    date,
    datetime,
    Colour,
    Level,
    int | None,
    str | Finite,
    Literal["red", "blue"],
    Literal[1, "red"],
    list[int],
    set[str],
    tuple[int, ...],
    tuple[int, str],
    dict[str, Finite],
    Item,
    Line,
    Narrow,
    Wrong,
    list[Item | None],
    Mapping[str, Line],
]
FITTING = [(one, other) for one in ANNOTATIONS for other in ANNOTATIONS if one != other and fits(one, other)]


@settings(max_examples=400)
@given(st.data())
def test_what_fits_is_accepted_by_the_other_model(data: st.DataObject) -> None:
    source, target = data.draw(st.sampled_from(FITTING))
    value = data.draw(st.from_type(source))
    TypeAdapter(target).validate_json(TypeAdapter(source).dump_json(value))
