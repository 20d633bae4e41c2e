"""The copy of a dead letter: whatever it holds, it can be stored, and it is stored once."""

import json

import pytest

from adapters.bus import Delivery
from orchestrator.dead_letters import MAX_FIELDS, MAX_TOTAL_LENGTH, letter_id, to_document


def test_a_dead_letter_has_one_id_however_often_it_comes() -> None:
    delivery = Delivery("saga.replies", "1-1", {"subject": "s", "type": "t", "data": "{"})
    document = to_document(delivery, "not JSON")
    assert document["_id"] == letter_id("saga.replies", "1-1") == to_document(delivery, "again")["_id"]
    assert document["_id"] != letter_id("saga.replies", "1-2")
    assert (document["saga_id"], document["type"], document["truncated"]) == ("s", "t", False)
    assert document["fields"][2] == {"name": "data", "value": "{"}


@pytest.mark.parametrize(
    "fields", [{f"f{n}": "x" for n in range(MAX_FIELDS + 1)}, {"a": "x" * (MAX_TOTAL_LENGTH + 1)}, {"x" * 300: ""}]
)
def test_a_dead_letter_is_cut_to_a_size(fields: dict[str, str]) -> None:
    document = to_document(Delivery("s", "1-1", fields), "r" * 9_999)
    assert document["truncated"]
    assert len(json.dumps(document)) < 2 * MAX_TOTAL_LENGTH
    assert len(document["reason"]) == 2_000


def test_text_that_is_no_unicode_becomes_visible() -> None:
    document = to_document(Delivery("s", "1-1", {"$a.b": "\ud800"}), "r")
    assert document["fields"] == [{"name": "$a.b", "value": "\\ud800"}]
