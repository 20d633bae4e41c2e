"""What is said of a Redis that is away or refuses: each thing once."""

import pytest
from redis.exceptions import AuthenticationError, BusyLoadingError, ResponseError
from redis.exceptions import ConnectionError as RedisConnectionError
from structlog.testing import capture_logs

from adapters.streams.connection import unavailable
from adapters.streams.outages import Outages


class Heard:
    def __init__(self) -> None:
        self.outages = Outages()

    def events(self, *happened: tuple[str, object]) -> list[str]:
        """What is logged when these streams meet these errors, or `None`: it could be done."""
        with capture_logs() as logs:
            for stream, error in happened:
                if isinstance(error, Exception):
                    self.outages.met(stream, "beat", unavailable(error))
                else:
                    self.outages.over(stream, "beat")
        return [log["event"] for log in logs]


@pytest.mark.parametrize(
    "error", [RedisConnectionError("refused"), AuthenticationError("no"), BusyLoadingError("wait")]
)
def test_a_server_that_is_away_is_told_once_for_all_streams(error: Exception) -> None:
    heard = Heard()
    assert heard.events(("a", error), ("b", error), ("a", error)) == ["redis-away"]
    assert heard.events(("a", None)) == []
    assert heard.events(("b", None), ("b", None)) == ["redis-back"]


def test_another_reason_is_told_again() -> None:
    assert Heard().events(("a", OSError("one")), ("b", OSError("two"))) == ["redis-away", "redis-away"]


def test_what_is_refused_is_told_for_each_stream() -> None:
    error = ResponseError("WRONGTYPE")
    heard = Heard()
    assert heard.events(("a", error), ("b", error), ("a", error)) == ["stream-away", "stream-away"]
    assert heard.events(("a", None), ("a", None)) == ["stream-back"]


def test_a_server_that_refuses_is_not_away_any_more() -> None:
    heard = Heard()
    assert heard.events(("a", OSError("away")), ("a", ResponseError("OOM"))) == [
        "redis-away",
        "redis-back",
        "stream-away",
    ]
    assert heard.events(("a", None)) == ["stream-back"]


def test_a_stream_that_is_not_read_any_more_keeps_no_server_away() -> None:
    heard = Heard()
    heard.events(("a", OSError("away")), ("b", OSError("away")))
    heard.outages.forget("a")
    assert heard.events(("b", None)) == ["redis-back"]
