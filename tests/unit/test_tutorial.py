"""What the tutorial says of a mistake is what its reader would see."""

import pytest

from sagas import InvalidDefinition
from support.documents import Document
from support.source import ROOT

TUTORIAL = Document(ROOT / "docs" / "tutorial.md")


def test_a_field_that_nobody_fills_is_reported_as_the_tutorial_shows() -> None:
    (shown,) = (block.text.strip() for block in TUTORIAL.blocks if "is required" in block.text)
    trip = next(block.text for block in TUTORIAL.blocks if block.file == "trip.py")
    wanting = trip.replace("class BookSeat(Command):\n", "class BookSeat(Command):\n    passport: str\n")
    assert wanting != trip

    with pytest.raises(InvalidDefinition) as raised:
        exec(wanting, {"__name__": "trip"})  # noqa: S102 - our own text

    assert shown in str(raised.value)
