"""Examples of messages: what the model gives as examples comes first."""

from random import Random

import pytest
from pydantic import ConfigDict, Field

from chaos.samples import NoExample, example
from sagas import SagaInput

SEEDS = range(20)


class Trip(SagaInput):
    city: str = Field(examples=["paris", "rome"])
    nights: int = Field(ge=1, le=3)


class Parcel(SagaInput):
    model_config = ConfigDict(json_schema_extra={"examples": [{"to": "ada", "grams": 5}]})

    to: str
    grams: int


class Plate(SagaInput):
    number: str = Field(pattern=r"^[A-Z]{2}-\d{4}$")


def test_a_field_with_examples_gets_one_of_these() -> None:
    assert {example(Trip, Random(seed))["city"] for seed in SEEDS} == {"paris", "rome"}
    assert {example(Trip, Random(seed))["nights"] for seed in SEEDS} == {1, 2, 3}


def test_so_does_a_whole_model() -> None:
    assert example(Parcel, Random(0)) == {"to": "ada", "grams": 5}


def test_what_can_not_be_guessed_says_what_to_write() -> None:
    with pytest.raises(NoExample, match=r"Plate\.number: give examples of your own, as in Field\(examples=\[…\]\)"):
        example(Plate, Random(0))
