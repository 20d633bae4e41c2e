"""Where the group of somebody else's stream begins, and begins again."""

import pytest

from adapters.streams.origin import BEGINNING, before, first_place, place_again


@pytest.mark.parametrize(
    ("newest", "beginning", "place"),
    [("5-1", False, "5-1"), ("5-1", True, BEGINNING), (None, False, BEGINNING), (None, True, BEGINNING)],
)
def test_reading_begins_behind_what_is_there_unless_told_otherwise(
    newest: str | None, beginning: bool, place: str
) -> None:
    assert first_place(newest, beginning=beginning) == place


@pytest.mark.parametrize(
    ("remembered", "newest", "place"),
    [
        ("5-1", "5-1", "5-1"),
        ("5-1", "70-0", "5-1"),  # entries since then are delivered
        ("5-1", None, BEGINNING),  # the stream is gone
        ("5-1", "5-0", BEGINNING),  # another stream by now: whatever is on it is new
        ("10-0", "9-0", BEGINNING),  # as numbers, not as text
    ],
)
def test_a_lost_group_goes_on_where_it_was_unless_the_stream_is_another_one(
    remembered: str, newest: str | None, place: str
) -> None:
    assert place_again(remembered, newest) == place


@pytest.mark.parametrize(
    ("entry_id", "place"),
    [("5-1", "5-0"), ("5-0", "4-18446744073709551615"), ("0-1", "0-0"), ("0-0", "0-0")],
)
def test_a_group_made_right_before_an_entry_is_delivered_it_first(entry_id: str, place: str) -> None:
    assert before(entry_id) == place
