"""When the client sends a request again: one table."""

import pytest

from client.retrying import pause_before_next
from client.wire import Answer, Lost, Request, Retries

GET = Request("GET", "/v1/sagas")
CANCEL = Request("POST", "/v1/sagas/one/cancel", repeatable=False)
RETRIES = Retries(attempts=3, first_s=1.0, longest_s=8.0)


def answer(status: int, retry_after: str | None = None, body: bytes = b"") -> Answer:
    return Answer(status, {} if retry_after is None else {"retry-after": retry_after}, body)


OVERLOADED = answer(503, body=b'{"type":"/problems/overloaded"}')
UNAVAILABLE = answer(503, body=b'{"type":"/problems/unavailable"}')


@pytest.mark.parametrize(
    ("request_", "found", "number", "pause_s"),
    [
        (GET, Lost("broke off"), 1, 0.5),
        (GET, Lost("broke off"), 2, 1.0),
        (GET, Lost("broke off"), 3, None),  # The last attempt was used up.
        (GET, UNAVAILABLE, 1, 0.5),
        (GET, answer(429), 1, 0.5),
        (GET, answer(502), 1, 0.5),
        (GET, answer(500), 1, None),  # A bug there is there again.
        (GET, answer(404), 1, None),
        (GET, answer(422), 1, None),
        (GET, answer(503, "5"), 1, 5.0),  # Nobody comes earlier than asked to,
        (GET, answer(503, "0"), 1, 0.5),  # nor at once,
        (GET, answer(503, "9"), 1, None),  # nor waits longer than the caller allows.
        (GET, answer(503, "Wed, 21 Oct 2030 07:28:00 GMT"), 1, 0.5),
        (GET, answer(503, "-1"), 1, 0.5),
        (CANCEL, Lost("broke off"), 1, None),  # It may have been done.
        (CANCEL, Lost("refused", arrived=False), 1, 0.5),
        (CANCEL, UNAVAILABLE, 1, None),
        (CANCEL, answer(429, "1"), 1, 1.0),
        (CANCEL, OVERLOADED, 1, 0.5),  # Said before anything is done.
    ],
)
def test_a_request_is_repeated_where_that_is_safe_and_of_use(
    request_: Request, found: Answer | Lost, number: int, pause_s: float | None
) -> None:
    assert pause_before_next(request_, found, number, RETRIES, chance=0.0) == pause_s


def test_pauses_double_up_to_the_longest_and_chance_spreads_them() -> None:
    assert [RETRIES.pause_s(number, 0.0) for number in (1, 2, 3, 4, 5, 1_000)] == [0.5, 1.0, 2.0, 4.0, 4.0, 4.0]
    assert RETRIES.pause_s(1, 0.999) == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize("wrong", [{"attempts": 0}, {"first_s": 0.0}, {"first_s": 2.0, "longest_s": 1.0}])
def test_retries_that_cannot_work_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="Retries"):
        Retries(**wrong)  # type: ignore[arg-type]
