"""Settings and names of the Redis bus: what is refused before the first message, and what others rely on."""

from typing import Any

import pytest

from adapters.streams.names import Streams
from adapters.streams.settings import StreamSettings


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"max_records": 0}, "max_records must be between 1 and 10000"),
        ({"alone_limit": 0}, "alone_limit"),
        ({"backoff_first_s": 0.0}, "backoff_first_s"),
        ({"heartbeat_ms": 1_500}, "at least twice heartbeat_every_s"),
        ({"block_ms": 3_000}, "at least twice block_ms"),
    ],
)
def test_a_setting_that_cannot_work_is_refused(wrong: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        StreamSettings(**wrong)


def test_names_that_programs_in_other_languages_rely_on() -> None:
    streams = Streams()
    assert streams.commands("inventory") == "saga.commands.inventory"
    assert (streams.replies, streams.events) == ("saga.replies", "saga.events")
    assert streams.dead(streams.replies) == "saga.replies.dead"
    assert streams.heartbeat("saga.replies", "orchestrator", "c1") == "saga.consumer:saga.replies:orchestrator:c1"


@pytest.mark.parametrize(
    ("stream", "group"),
    [
        ("saga.commands.inventory", "inventory"),
        ("saga.replies", "orchestrator"),
        ("saga.replies.replica-1", "orchestrator"),
        ("saga.commands.inventory.dead", None),
        ("saga.replies.dead", None),
        ("saga.events", None),
        ("orders-stream", None),
        ("other.commands.inventory", None),
    ],
)
def test_only_command_and_reply_streams_have_a_group_of_ours(stream: str, group: str | None) -> None:
    assert Streams().own_group(stream) == group
