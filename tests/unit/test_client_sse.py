"""The reader of server-sent events."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client.sse import MAX_EVENT_LENGTH, ServerEvent, SseParser, TooLong

STREAM = (
    '\ufeff: hello\r\nevent: transition\r\nid: 1\r\ndata: {\r\ndata:  "a": 1}\r\n\r\n'
    "retry: 1500\n\n: ping\n\n"
    "data: plain\r\r"
    "id: 3\nevent: end\ndata\n\n"
    "id: 4\nevent: transition\ndata: cut of"
).encode()
EVENTS = [
    ServerEvent("transition", '{\n "a": 1}', "1"),
    ServerEvent("message", "plain", "1"),
    ServerEvent("end", "", "3"),
]


@given(st.lists(st.integers(0, len(STREAM)), max_size=20))
def test_events_are_the_same_however_the_bytes_are_cut(cuts: list[int]) -> None:
    parser, places = SseParser(), [0, *sorted(cuts), len(STREAM)]

    found = [event for begin, end in pairwise(places) for event in parser.feed(STREAM[begin:end])]

    assert found == EVENTS
    assert (parser.last_id, parser.retry_s) == ("3", 1.5)  # What was cut off does not count: it comes again.


@given(st.binary(max_size=300))
def test_any_bytes_are_read_without_an_error(noise: bytes) -> None:
    list(SseParser().feed(noise))


def test_an_id_goes_on_until_there_is_another() -> None:
    parser = SseParser("before")
    assert [event.id for event in parser.feed(b"data: a\n\nid: 7\ndata: b\n\nid: x\0y\ndata: c\n\n")] == [
        "before",
        "7",
        "7",
    ]


@pytest.mark.parametrize("endless", [b"data: " + b"x" * MAX_EVENT_LENGTH, b"data: xxx\n" * (MAX_EVENT_LENGTH // 9 + 1)])
def test_what_goes_on_and_on_is_no_event(endless: bytes) -> None:
    with pytest.raises(TooLong):
        list(SseParser().feed(endless))
