"""How many messages a real run sends for each saga."""

from pathlib import Path

from adapters.bus import Entry
from adapters.errors import Unavailable
from chaos.real.sent import Sent, messages

COMMAND = Entry("saga.commands.inventory", {"id": "one/reserve-stock/action"})
REPLY = Entry(
    "saga.replies.a1b2", {"id": "one/reserve-stock/action/reply/1", "causationid": "one/reserve-stock/action"}
)
OTHERS = Entry("saga.replies", {"id": "two/confirm/action/reply/1", "causationid": "two/confirm/action"})


def test_commands_and_replies_of_all_processes_are_counted_by_saga(tmp_path: Path) -> None:
    orchestrator, inventory = Sent(tmp_path, "orchestrator-1"), Sent(tmp_path, "inventory-1")

    orchestrator.note([COMMAND, COMMAND], [None, None])
    inventory.note([REPLY, OTHERS], [None, None])
    Sent(tmp_path, "orchestrator-1").note([COMMAND], [None])  # Started again.

    assert messages(tmp_path) == {"one": 4, "two": 1}


def test_what_was_refused_and_what_is_for_anyone_does_not_count(tmp_path: Path) -> None:
    event = Entry("saga.events", {"id": "one/1/started"})
    dead = Entry("saga.commands.inventory.dead", COMMAND.fields)

    Sent(tmp_path, "orchestrator-1").note([COMMAND, event, dead], [Unavailable("full"), None, None])

    assert messages(tmp_path) == {}
