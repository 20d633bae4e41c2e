"""Watching over connections that break: nothing is missed, and nothing told twice."""

import httpx
import pytest

from client import EventsMissed, NotFound, SagaClient, SyncSagaClient, Unavailable, UnexpectedAnswer
from support.clients import Either, Network, Step, events, refused, reply
from support.scripted import told

BROKEN = httpx.ReadError("broke off")
AWAY = httpx.ConnectError("connection refused")
PING = ": ping\n\n"
END = "event: end\ndata: completed\n\n"


def asked(network: Network) -> list[str | None]:
    return [one.headers.get("Last-Event-ID") for one in network.requests]


@pytest.fixture
def network() -> Network:
    return Network()


@pytest.fixture(params=[SagaClient, SyncSagaClient])
def client(request: pytest.FixtureRequest, network: Network) -> Either:
    return Either(request.param, network)


async def test_one_saga_is_watched_to_its_end(client: Either, network: Network) -> None:
    network.on(events(told(1), PING, told(2, status="completed", events=["step-succeeded", "completed"]), END))

    found = await client.items("watch", "one")

    assert [(one.revision, one.status.value, one.position) for one in found] == [
        (1, "running", "1"),
        (2, "completed", "2"),
    ]
    assert found[1].events == ("step-succeeded", "completed")
    assert network.requests[0].url.path == "/v1/sagas/one/events"


async def test_a_broken_connection_is_continued_behind_what_was_read_whole(client: Either, network: Network) -> None:
    third = told(3)
    network.on(
        events(told(1), told(2), third[:40], BROKEN),
        events(told(2), third, told(4)),  # The server closes, having repeated one.
        AWAY,
        AWAY,
        events(told(5), END),
    )

    found = await client.items("watch", "one")

    assert [one.revision for one in found] == [1, 2, 3, 4, 5]
    assert asked(network) == [None, "2", "4", "4", "4"]
    assert network.pauses == [0.5, 0.5, 0.5, 1.0]


async def test_a_stream_without_more_to_say_ends(client: Either, network: Network) -> None:
    network.on(events(told(1), BROKEN), reply(204))

    assert [one.revision for one in await client.items("watch", "one")] == [1]


async def test_all_sagas_are_watched_from_a_position(client: Either, network: Network) -> None:
    network.on(events(told(4, token="t4"), told(1, "two", token="t5"), told(5, "three", token="t6")))

    found = await client.items("watch", saga="order", status="stuck", after="t3", at_most=2)

    assert [(one.saga_id, one.position) for one in found] == [("one", "t4"), ("two", "t5")]
    assert [path for _, path, _ in network.sent] == ["/v1/sagas/events?saga=order&status=stuck"]
    assert asked(network) == ["t3"]


async def test_signs_of_life_move_the_position_on(client: Either, network: Network) -> None:
    network.on(events("retry: 9000\n\n: ping\nid: t1\n\n", ": ping\nid: t2\n\n"), events(told(1, token="t3")))

    await client.items("watch", at_most=1)

    assert asked(network) == [None, "t2"]
    assert network.pauses == [9.0], "as long as the stream asked for"


RESET = "event: reset\nid: t9\ndata: {}\n\n"


@pytest.mark.parametrize(
    "streams",
    [
        (events(told(1, token="t1"), BROKEN), events(RESET, told(9))),
        (events(told(1, token="t1") + RESET),),
        (events(": ping\nid: t1\n\n", RESET),),
    ],
)
async def test_transitions_that_are_gone_are_no_silence(
    client: Either, network: Network, streams: tuple[Step, ...]
) -> None:
    network.on(*streams)

    with pytest.raises(EventsMissed) as raised:
        await client.items("watch")

    assert raised.value.after == "t9"


async def test_a_reset_is_harmless_where_nothing_had_been_asked_for(client: Either, network: Network) -> None:
    network.on(events("event: reset\ndata: {}\n\n", told(8), END))

    assert [one.revision for one in await client.items("watch", "one")] == [8]


async def test_a_service_that_is_not_there_at_first_is_unavailable_soon(client: Either, network: Network) -> None:
    network.on(AWAY)

    with pytest.raises(Unavailable):
        await client.items("watch")

    assert len(network.requests) == 5


async def test_a_service_that_was_there_may_be_away_for_a_while(client: Either, network: Network) -> None:
    network.on(events(told(1), BROKEN), refused("overloaded", 503, retry_after="7"), AWAY)

    with pytest.raises(Unavailable):
        await client.items("watch", "one", away_s=60)

    assert network.pauses[:2] == [0.5, 7.0]
    assert 60 <= sum(network.pauses) <= 70


async def test_connections_that_tell_nothing_are_made_ever_more_seldom(client: Either, network: Network) -> None:
    network.on(*[events() for _ in range(5)], events(told(1), END))

    await client.items("watch", "one")

    assert network.pauses == [0.5, 1.0, 2.0, 4.0, 4.0]


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (refused("saga-not-found", 404), NotFound),
        (reply(200, text="<html>hello</html>"), UnexpectedAnswer),
        (events("event: transition\nid: 1\ndata: {}\n\n"), UnexpectedAnswer),
        (events("event: transition\nid: 1\ndata: hello\n\n"), UnexpectedAnswer),
        (events("data: " + "x" * 1_000_001), UnexpectedAnswer),
    ],
)
async def test_what_can_not_be_watched_is_an_error(
    client: Either, network: Network, answer: Step, error: type[Exception]
) -> None:
    network.on(answer)
    with pytest.raises(error):
        await client.items("watch", "one")
