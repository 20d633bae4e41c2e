"""The copies with which benchmarks/growth.py fills a database."""

from datetime import UTC, datetime, timedelta

from benchmarks.filling import copied, filters
from orchestrator.core.state import Status

BEGUN = datetime(2030, 1, 1, tzinfo=UTC)


def test_a_copy_has_another_id_and_other_times_and_nothing_else() -> None:
    saga = {
        "_id": "one",
        "revision": 4,
        "created_at": BEGUN,
        "failure": None,
        "pending": [{"command_id": "one/confirm/action", "deadline": BEGUN + timedelta(seconds=3)}],
    }

    assert copied(saga, "one", "copy-7", -timedelta(seconds=2)) == {
        "_id": "copy-7",
        "revision": 4,
        "created_at": BEGUN - timedelta(seconds=2),
        "failure": None,
        "pending": [{"command_id": "copy-7/confirm/action", "deadline": BEGUN + timedelta(seconds=1)}],
    }


def test_lists_are_looked_at_by_every_filter() -> None:
    asked = [given for _, given in filters("grown")]

    assert {name for given in asked for name in given} == {"saga", "status", "since", "q", "cursor"}
    assert {given["status"] for given in asked if "status" in given} <= {status.value for status in Status}
