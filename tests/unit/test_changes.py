"""From what MongoDB says of a write to the transitions in it, and positions between them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from adapters.memory_bus import MemoryBus
from adapters.streams.names import Streams
from orchestrator.announcer import Announcer
from orchestrator.changes import Position, events_of
from orchestrator.core.state import Message
from orchestrator.documents import Change
from orchestrator.engine import Engine
from orchestrator.memory_store import MemorySagaStore
from orchestrator.mongo_changes import BROKEN, transitions_in
from orchestrator.work import Input
from sagas import Definitions
from sagas.order import order
from support.clock import ManualClock
from support.orders import failure, started, succeeded, success

AT = datetime(2026, 1, 1, 12, tzinfo=UTC)
BEFORE = Position("A" * 20)


def entry(revision: int, at: Any = AT, **changed: Any) -> dict[str, Any]:
    return {"revision": revision, "at": at, "events": ["step-succeeded"], "status": "running", **changed}


def update(**fields: Any) -> dict[str, Any]:
    changed = [{"k": name.replace("__", "."), "v": value} for name, value in fields.items()]
    return {"operationType": "update", "changed": changed}


def revisions(change: dict[str, Any]) -> list[int]:
    return [made.revision for made in transitions_in(change)]


def test_a_new_saga_has_its_first_transition() -> None:
    assert revisions({"operationType": "insert", "fullDocument": {"history": [entry(1)]}}) == [1]


def test_entries_that_were_added_come_in_order() -> None:
    assert revisions(update(updated_at=AT, history__10=entry(11), history__9=entry(10))) == [10, 11]


def test_an_entry_that_was_replaced_is_the_new_one() -> None:
    (made,) = transitions_in(update(updated_at=AT, history__3=entry(7, count=4)))
    assert (made.revision, made.count) == (7, 4)


def test_where_the_whole_history_was_written_new_is_what_has_the_time_of_the_write() -> None:
    earlier = AT - timedelta(milliseconds=1)
    history = [entry(5, earlier), entry(6, AT), entry(7, earlier), entry(8, AT), entry(9, AT)]
    assert revisions(update(updated_at=AT, history=history)) == [8, 9]


def test_a_write_by_hand_that_touches_no_history_tells_nothing() -> None:
    assert revisions(update(updated_at=AT)) == []


@pytest.mark.parametrize(
    "broken",
    [
        {"operationType": "insert", "fullDocument": {}},
        {"operationType": "insert", "fullDocument": {"history": 7}},
        {"operationType": "insert", "fullDocument": {"history": ["x"]}},
        update(updated_at=AT, history__3="x"),
        update(updated_at=AT, history__3__count=5),
        update(updated_at=AT, history=[]) | {"changed": None},
        update(history=[entry(1)]),
        update(updated_at=AT, history__3=entry(4, status="unheard-of")),
        update(updated_at=AT, history__3=entry(4, at="yesterday")),
        update(updated_at=AT, history__3=entry(4, events=[{"a": 1}])),
        update(updated_at=AT, history__3=entry(4, attempt="many")),
        update(updated_at=AT, history__3=entry(4, code={"a": 1})),
        update(updated_at=AT, history__3={**entry(4), "revision": "four"}),
    ],
)
def test_what_somebody_broke_by_hand_is_an_error_that_can_be_passed_over(broken: dict[str, Any]) -> None:
    with pytest.raises(BROKEN):
        transitions_in(broken)


def test_an_id_says_where_to_go_on() -> None:
    made = [transitions_in(update(history__0=entry(number)))[0] for number in (1, 2, 3)]
    events = events_of(BEFORE, "B" * 20, ("a", "order", 1), made)
    assert [event.id for event in events] == [f"{'A' * 20}.0001", f"{'A' * 20}.0002", "B" * 20]
    for number, event in enumerate(events[:2], start=1):
        position = Position.parse(event.id)
        assert position == Position("A" * 20, number)
        assert position.id == event.id
        assert events_of(position, "B" * 20, ("a", "order", 1), made) == events[number:]
    assert Position.parse(events[2].id) == Position("B" * 20)


@pytest.mark.parametrize("text", ["", "A", "a" * 20, "A" * 3_000, "A" * 20 + ".", "A" * 20 + ".1", "A" * 20 + ".00001"])
def test_what_is_no_id_is_no_position(text: str) -> None:
    assert Position.parse(text) is None


class _Recording(MemorySagaStore):
    """Remembers what it is asked to save."""

    def __init__(self) -> None:
        super().__init__()
        self.saved: list[Change] = []

    async def save(self, changes: Any) -> set[str]:
        self.saved += changes
        return await super().save(changes)


async def test_whatever_is_written_together_has_the_time_of_the_write() -> None:
    """What tells new entries from old ones where the whole history is written."""
    clock, store = ManualClock(), _Recording()
    engine = Engine(Definitions([order]), store, Announcer(MemoryBus(clock), Streams(), clock), clock)
    first = started("a", clock.now()).state
    await store.insert([first])
    second = succeeded(first, clock.now()).state
    both: list[Message] = [success(first), success(second)]
    clock.advance(1)
    await engine.apply([Input("a", message) for message in both])
    for _ in range(2):
        clock.advance(1)
        await engine.apply([Input("a", failure(store.sagas["a"]))])
    assert [len(change.transitions) for change in store.saved] == [2, 1, 1]
    assert [change.folded for change in store.saved] == [False, False, True]
    for change in store.saved:
        assert {made.at for made in change.transitions} == {change.after.updated_at}
        assert change.before.updated_at < change.after.updated_at
