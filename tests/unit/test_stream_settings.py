"""Settings and names of the Redis bus: what is refused before the first message, and what others rely on."""

from typing import Any
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.streams.address import streams_at
from adapters.streams.names import MAX_PARTITIONS, Streams
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


def test_a_saga_is_in_the_same_partition_of_every_stream_whatever_language_asks() -> None:
    streams = Streams(partitions=12)
    assert crc32(b"order-1") % 12 == 7
    assert streams.partition(streams.commands("inventory"), "order-1") == "saga.commands.inventory.{7}"
    assert streams.partition(streams.replies, "order-1") == "saga.replies.{7}"
    assert len(set(streams.all_of(streams.replies))) == 12


@given(saga_id=st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True), partitions=st.integers(1, MAX_PARTITIONS))
def test_each_partition_is_one_of_all_and_known_for_what_it_is(saga_id: str, partitions: int) -> None:
    streams = Streams(partitions=partitions)
    for whole, group in ((streams.commands("inventory"), "inventory"), (streams.replies, "orchestrator")):
        stream = streams.partition(whole, saga_id)
        assert stream in streams.all_of(whole)
        assert streams.own_group(stream) == group
        assert streams.alive(streams.dead(stream), saga_id) == stream
        assert (streams.is_commands(stream), streams.is_replies(stream)) == (group == "inventory", group != "inventory")


def test_one_partition_has_no_number() -> None:
    assert streams_at("redis://a", "saga.", None) == streams_at("redis+sentinel://a/m", "saga.", None) == Streams()
    assert Streams().partition("saga.replies", "order-1") == "saga.replies"
    assert streams_at("redis+cluster://a", "s.", None).partitions == 12
    assert streams_at("redis+cluster://a", "s.", 5).partitions == streams_at("redis://a", "s.", 5).partitions == 5


def test_a_stream_of_others_in_braces_is_left_as_it_is() -> None:
    streams = Streams(partitions=12)
    assert streams.dead("orders.{7}") == "orders.{7}.dead"
    assert streams.alive("orders.{7}.dead", "order-1") == "orders.{7}"


@pytest.mark.parametrize(
    ("stream", "group"),
    [
        ("saga.commands.inventory", "inventory"),
        ("saga.replies", "orchestrator"),
        ("saga.replies.replica-1", "orchestrator"),
        ("saga.replies.{3}", "orchestrator"),
        ("saga.commands.inventory.{3}", "inventory"),
        ("saga.commands.inventory.dead", None),
        ("saga.replies.dead", None),
        ("saga.events", None),
        ("orders-stream", None),
        ("other.commands.inventory", None),
    ],
)
def test_only_command_and_reply_streams_have_a_group_of_ours(stream: str, group: str | None) -> None:
    assert Streams().own_group(stream) == group
