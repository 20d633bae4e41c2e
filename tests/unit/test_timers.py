"""The times of sendings, deadlines and wake-ups."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from orchestrator.core.state import Pending, Status, Woken
from orchestrator.core.timers import due_at, next_send, send_is_due, silence_counts
from support.shapes import shape
from support.story import LONG_AGO, START, given


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def pending() -> Pending:
    return given(shape("u")).started().pending


def sendings(status: Status, until_s: float) -> list[float]:
    times, time = [], START
    while (time := next_send(pending(), status, time)) <= at(until_s):
        times.append((time - START).total_seconds())
    return times


def test_a_command_is_sent_again_at_growing_intervals_up_to_a_minute() -> None:
    assert sendings(Status.RUNNING, 300) == [3, 9, 21, 45, 93, 153, 213, 273]


def test_a_stuck_sagas_command_is_sent_again_every_5_minutes() -> None:
    assert sendings(Status.STUCK, 1000) == [300, 600, 900]


@pytest.mark.parametrize("late_s", [0, 59, 10**4, 10**8])
def test_the_next_sending_is_found_without_counting_through_years(late_s: int) -> None:
    after = at(100 + late_s)
    due = next_send(pending(), Status.RUNNING, after)
    assert after < due <= after + timedelta(minutes=1)
    assert (due - at(93)) % timedelta(minutes=1) == timedelta(0)


@pytest.mark.parametrize("status", [Status.RUNNING, Status.STUCK])
def test_a_clock_that_went_back_does_not_bring_a_sending_forward(status: Status) -> None:
    assert next_send(pending(), status, at(-1000)) > START


def test_a_held_command_is_first_sent_when_its_backoff_is_over() -> None:
    held = replace(pending(), held=True, sent_at=at(10))
    assert next_send(held, Status.RUNNING, at(5)) == at(10)
    assert next_send(held, Status.RUNNING, at(50)) == at(10), "however late: it has not been sent yet"


def test_a_saga_is_looked_at_for_the_next_sending_the_deadline_or_its_own_deadline() -> None:
    state = given(shape("u")).started().state
    assert due_at(state, START) == at(3)
    assert due_at(state, at(25)) == at(30), "the step's deadline"
    assert due_at(replace(state, deadline_at=at(2)), START) == at(2)
    assert due_at(replace(state, deadline_at=at(2)), at(2)) == at(3), "one that has passed is not awaited again"
    assert due_at(replace(state, deadline_at=at(2), status=Status.COMPENSATING), START) == at(3)


def test_a_stuck_saga_has_no_deadlines() -> None:
    state = replace(given(shape("u")).started().state, status=Status.STUCK, deadline_at=at(1))
    assert due_at(state, START) == at(300)
    assert due_at(replace(state, pending=()), START) is None


def test_a_sending_is_due_if_it_fell_between_the_wake_up_time_and_now() -> None:
    state = given(shape("u")).started().state
    assert send_is_due(state.pending[0], state, at(3))
    assert send_is_due(state.pending[0], state, at(300))
    assert not send_is_due(state.pending[0], state, at(2))
    assert not send_is_due(state.pending[0], replace(state, wake_at=None), at(300))
    assert not send_is_due(state.pending[0], replace(state, wake_at=at(4)), at(8)), "3 was before, 9 comes later"


def test_silence_counts_only_where_somebody_listened_from_the_sending_to_the_deadline() -> None:
    command = pending()
    assert silence_counts(command, Woken(LONG_AGO), at(30))
    assert silence_counts(command, Woken(START), at(30))
    assert not silence_counts(command, Woken(LONG_AGO), at(29.999))
    assert not silence_counts(command, Woken(at(0.001)), at(30))
    assert not silence_counts(command, Woken(LONG_AGO, frozenset({command.command_id})), at(30))
