"""Whatever happens to a saga, its trace holds together: nothing is told twice, and nothing hangs in the air."""

from dataclasses import replace
from datetime import datetime

from hypothesis import example, given, settings

from adapters.tracing.context import TraceContext
from orchestrator.core import decide as core
from orchestrator.core.state import Decision, Message, SagaState
from orchestrator.observer import Applied
from orchestrator.tracing import SagaSpans
from sagas import Saga
from sagas.messages import Outcome
from support.histories import History, Said, Setting, says, settings_of_sagas
from support.traces import Traces, keeping

PARENT = TraceContext(7, 8, True)


class TracedHistory(History):
    """A history whose every decision is told."""

    def __init__(self, setting: Setting, traces: Traces) -> None:
        super().__init__(setting, self._told)
        self.told = SagaSpans(keeping(traces, now_ns=lambda: int(self.now.timestamp() * 1_000_000_000)), "replies")
        data = self.saga.start({"number": setting.number})
        begun = core.begin(self.saga, "s", data, self.now, request="", traceparent=str(PARENT))
        self.state = begun.state
        self.told.accepted([begun], repeated=0)

    def _told(self, saga: Saga, state: SagaState, message: Message, now: datetime) -> Decision:
        decision = core.decide(saga, state, message, now)
        self.told.applied([Applied(message, state, decision)], conflicts=0, unknown=0)
        return decision


UNFIT = Said("reply", Outcome.SUCCEEDED, 0, None, {}, 1, "now", watched=True, queued=False)
ABORTED = replace(UNFIT, what="abort")
CANCELLED = replace(UNFIT, what="cancel")
REJECTED = replace(UNFIT, outcome=Outcome.REJECTED)
SENT_AGAIN = replace(UNFIT, what="wake", when="due")
SILENCE = replace(UNFIT, what="wake", when="deadline")
GETS_STUCK = [CANCELLED, REJECTED, SENT_AGAIN, SILENCE]


@settings(max_examples=200, deadline=None)
@example(Setting("n", 1, 1, None, fragile=False, number=1), [UNFIT, ABORTED])  # The revoke is sent by a stuck saga.
@example(Setting("u", 1, 2, None, fragile=False, number=1), [*GETS_STUCK, REJECTED])  # And succeeds in the end.
@given(settings_of_sagas, says)
def test_every_trace_holds_together(setting: Setting, said: list[Said]) -> None:
    traces = Traces()
    history = TracedHistory(setting, traces)
    for one in said:
        history.hears(one)
    history.heals()
    assert traces.ids == {f"{PARENT.trace_id:032x}"}
    assert not traces.twins
    assert [span.name for span in traces.orphans] == [f"start {history.saga.name}"]
    assert all(span.begin_ns <= span.end_ns for span in traces.spans)
    ended = traces.one(f"saga {history.saga.name}")
    assert ended.attributes["saga.status"] == history.state.status.value
