"""A saga that has been built: what it shows, and how it starts."""

from typing import Any

import pytest
from pydantic import ValidationError

from sagas import NotStorable, Retry
from support.purchase import CHARGE, REFUND, STARTED, charge, purchase, ship


def test_a_saga_shows_what_it_consists_of() -> None:
    assert (purchase.name, purchase.version, purchase.pivot, purchase.timeout_s) == ("purchase", 3, 0, 900)
    assert [one.name for one in purchase.steps] == ["charge", "ship"]
    assert (charge.timeout_s, charge.retry, charge.endpoint) == (0.5, Retry(attempts=7), CHARGE)
    assert charge.undo is not None
    assert (charge.undo.endpoint, charge.undo.timeout_s, charge.undo.retry.attempts) == (REFUND, 5, 20)
    assert (ship.timeout_s, ship.retry, ship.undo) == (30, Retry(), None)
    assert repr(purchase) == "Saga('purchase', version=3)"


def test_a_saga_never_changes() -> None:
    for name in ("name", "steps", "other"):
        with pytest.raises(AttributeError):
            setattr(purchase, name, "x")
    assert len({purchase, purchase}) == 1


def test_a_step_is_found_by_its_name() -> None:
    assert purchase.index("ship") == 1
    with pytest.raises(KeyError, match="no-such-step"):
        purchase.index("no-such-step")


def test_starting_makes_the_data_from_the_input() -> None:
    assert STARTED == {
        "customer": "alice",
        "cents": 1999,
        "at": "2026-01-02T03:04:05Z",
        "note": "none",
        "payment_id": None,
        "fee": None,
        "label": None,
    }


@pytest.mark.parametrize("wrong", [{}, {"customer": "alice"}, {"customer": "alice", "cents": 1, "payment_id": "mine"}])
def test_starting_refuses_what_a_client_may_not_send(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        purchase.start(wrong)


@pytest.mark.parametrize("wrong", [{"cents": 2**63}, {"cents": str(2**63)}, {"note": "\ud800"}])
def test_starting_refuses_what_cannot_be_stored(wrong: dict[str, Any]) -> None:
    sent = {"customer": "alice", "cents": 1, **wrong}
    for read in (purchase.start, purchase.input_json):
        with pytest.raises(NotStorable, match=f"/{next(iter(wrong))}: "):
            read(sent)


def test_two_spellings_of_one_request_are_equal_and_defaults_are_not_made_up() -> None:
    sent = {"customer": "alice", "cents": 1, "at": "2026-01-02T03:04:05+00:00"}
    assert purchase.input_json(sent) == {"customer": "alice", "cents": 1, "at": "2026-01-02T03:04:05Z"}
    assert purchase.input_json(sent) == purchase.input_json({"at": "2026-01-02T03:04:05Z", "cents": "1", **sent})
    assert purchase.input_json({**sent, "note": "none"}) != purchase.input_json(sent)
