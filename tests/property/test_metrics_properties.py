"""Whatever happens to a saga, it can be counted, and the counts agree with it."""

import random
from datetime import datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.core.decide import begin, decide
from orchestrator.core.state import (
    AbortRequested,
    CancelRequested,
    Message,
    Replied,
    RetryRequested,
    SagaState,
    SkipRequested,
    Woken,
)
from orchestrator.metrics.recorder import Recorder
from orchestrator.observer import Applied
from sagas.messages import Outcome, ReplyMessage
from support.metrics import read
from support.shapes import shape
from support.story import LONG_AGO, REPLIES, START

STEPS = 60


def message(rng: random.Random, state: SagaState) -> Message:
    """Anything that may reach a saga."""
    requests = (CancelRequested(), RetryRequested(), SkipRequested("by hand", {}), AbortRequested())
    if rng.random() < 0.1:
        return rng.choice(requests)
    if not state.pending or rng.random() < 0.2:
        return Woken(LONG_AGO)
    pending = rng.choice(state.pending)
    outcome = rng.choice([*Outcome, Outcome.SUCCEEDED])
    data = next((reply for name, reply in REPLIES.items() if name.startswith(pending.participant)), {})
    return Replied(ReplyMessage(pending.command_id, outcome, data, pending.attempt - rng.choice([0, 0, 1])))


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(["u", "un", "uun|rr", "uuu|rr", "nu|r"]), st.integers(0, 2**32))
def test_every_history_can_be_counted(notation: str, choices: int) -> None:
    rng, now, recorder = random.Random(choices), START, Recorder()
    saga = shape(notation, attempts=2, undo_attempts=2)
    begun = begin(saga, "s", saga.start({}), now, request="", traceparent=None)
    recorder.accepted([begun], repeated=0)
    state, transitions = begun.state, 0
    for _ in range(STEPS):
        now = _later(rng, now)
        given = message(rng, state)
        decision = decide(saga, state, given, now)
        recorder.applied([Applied(given, state, decision)], conflicts=0, unknown=0)
        transitions += decision.transition is not None and isinstance(given, Replied)
        state = decision.state
    page = read(recorder.registry)
    assert sum(page.all("saga_ended_total").values()) == state.status.ended
    assert page.all("saga_duration_seconds_count") == {
        (end, saga): count for (saga, end), count in page.all("saga_ended_total").items()
    }
    applied = [count for (effect, _), count in page.all("saga_replies_total").items() if effect == "applied"]
    assert sum(applied) == transitions


def _later(rng: random.Random, now: datetime) -> datetime:
    return now + timedelta(seconds=rng.choice([0, 1, 40, 400]))
