"""Counts what the engine and the API tell, in a registry of its own. It is an `Observer`: it decides nothing."""

from collections import Counter as Tally
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from orchestrator.core.state import Decision, Replied, SagaState, Status, Transition, Woken
from orchestrator.metrics import catalogue
from orchestrator.observer import Applied

_ENDS = [status.value for status in Status if status.ended]


class Recorder:
    """Everything that is counted as it happens."""

    def __init__(self, sagas: Iterable[str] = ()) -> None:
        """The named sagas' counters are there from the beginning, at 0: a rate needs a first value."""
        self.registry = CollectorRegistry(auto_describe=True)
        self._started = catalogue.STARTED.counter(self.registry)
        self._repeated = catalogue.REPEATED.counter(self.registry)
        self._start_events = catalogue.START_EVENTS.counter(self.registry)
        self._ended = catalogue.ENDED.counter(self.registry)
        self._purged = catalogue.PURGED.counter(self.registry)
        self._stuck = catalogue.STUCK.counter(self.registry)
        self._duration = catalogue.DURATION.histogram(self.registry)
        self._step_duration = catalogue.STEP_DURATION.histogram(self.registry)
        self._attempts = catalogue.ATTEMPTS.counter(self.registry)
        self._resent = catalogue.RESENT.counter(self.registry)
        self._replies = catalogue.REPLIES.counter(self.registry)
        self._unknown = catalogue.UNKNOWN.counter(self.registry)
        self._batch = catalogue.BATCH.histogram(self.registry)
        self._apply_duration = catalogue.APPLY_DURATION.histogram(self.registry)
        self._conflicts = catalogue.CONFLICTS.counter(self.registry)
        self._sweep_duration = catalogue.SWEEP_DURATION.histogram(self.registry)
        self._sweep_due = Gauge(catalogue.SWEEP_DUE.name, catalogue.SWEEP_DUE.help, registry=self.registry)
        self._timer_lag = Gauge(catalogue.TIMER_LAG.name, catalogue.TIMER_LAG.help, registry=self.registry)
        self._timers = catalogue.TIMERS.counter(self.registry)
        self._requests = catalogue.REQUESTS.counter(self.registry)
        self._request_duration = catalogue.REQUEST_DURATION.histogram(self.registry)
        self._listeners = Gauge(catalogue.LISTENERS.name, catalogue.LISTENERS.help, registry=self.registry)
        self._told = catalogue.TOLD.counter(self.registry)
        self._cut_off = catalogue.CUT_OFF.counter(self.registry)
        self._answers: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
        for saga in sagas:
            self._started.labels(saga)
            for end in _ENDS:
                self._ended.labels(saga, end)

    # -- what the engine tells ---------------------------------------------------------------------------------------

    def accepted(self, begun: Sequence[Decision], repeated: int) -> None:
        self._repeated.inc(repeated)
        _count(self._started, [(decision.state.saga,) for decision in begun])
        self._count_ends([decision.state for decision in begun if decision.state.status.ended])

    def applied(self, done: Sequence[Applied], *, conflicts: int, unknown: int) -> None:
        self._conflicts.inc(conflicts)
        self._unknown.inc(unknown)
        _count(self._replies, [label for each in done if (label := _reply(each)) is not None])
        _count(self._attempts, [labels for each in done if (labels := _attempt(each)) is not None])
        _count(self._stuck, [(each.decision.state.saga, _step(each)) for each in done if _got_stuck(each)])
        self._count_ends([each.decision.state for each in done if _has_ended(each)])
        _time(self._step_duration, (timed for each in done for timed in _settled(each)))
        self._count_resent((each.before, each.decision) for each in done if each.decision.transition is None)

    def finished(self, messages: int, took_s: float) -> None:
        if messages:
            self._batch.observe(messages)
            self._apply_duration.observe(max(took_s, 0.0))

    def sent_again(self, repeats: Sequence[Decision]) -> None:
        self._count_resent((repeat.state, repeat) for repeat in repeats)

    def swept(self, due: int, late_s: float, took_s: float) -> None:
        self._sweep_due.set(due)
        self._timer_lag.set(late_s)
        self._timers.inc(due)
        self._sweep_duration.observe(max(took_s, 0.0))

    def purged(self, count: int) -> None:
        """Ended sagas were removed."""
        self._purged.inc(count)

    # -- what the streams of others tell -----------------------------------------------------------------------------

    def start_events(self, stream: str, outcomes: Sequence[str]) -> None:
        """Events were read from a stream of others; what came of each."""
        _count(self._start_events, [(stream, outcome) for outcome in outcomes])

    # -- what the API tells ------------------------------------------------------------------------------------------

    def answered(self, route: str, method: str, status: int, took_s: float) -> None:
        """A request was answered."""
        # Kept, because to look one up costs as much as three increments.
        found = self._answers.get((route, method, status))
        if found is None:
            labels = (route, method, str(status))
            found = self._requests.labels(*labels), self._request_duration.labels(*labels)
            self._answers[route, method, status] = found
        requests, duration = found
        requests.inc()
        duration.observe(took_s)

    # -- what the listeners tell ---------------------------------------------------------------------------------------

    def listening(self, count: int) -> None:
        self._listeners.set(count)

    def told(self, events: int) -> None:
        self._told.inc(events)

    def cut_off(self) -> None:
        self._cut_off.inc()

    # -- how -----------------------------------------------------------------------------------------------------------

    def _count_resent(self, decided: Iterable[tuple[SagaState, Decision]]) -> None:
        _count(
            self._resent,
            [
                (before.saga, command.step, str(command.kind))
                for before, decision in decided
                for command in decision.commands
                if not _is_first(before, command.id)
            ],
        )

    def _count_ends(self, states: Sequence[SagaState]) -> None:
        _count(self._ended, [(state.saga, str(state.status)) for state in states])
        _time(
            self._duration,
            (
                ((state.saga, str(state.status)), _seconds(state.created_at, state.ended_at or state.updated_at))
                for state in states
            ),
        )


def _count(counter: Counter, labels: Iterable[tuple[str, ...]]) -> None:
    """One increment for each set of labels: counted in the batch first."""
    for values, times in Tally(labels).items():
        counter.labels(*values).inc(times)


def _time(histogram: Histogram, timed: Iterable[tuple[tuple[str, ...], float]]) -> None:
    """One look-up for each set of labels."""
    found: dict[tuple[str, ...], Histogram] = {}
    for labels, took_s in timed:
        child = found.get(labels)
        if child is None:
            child = found[labels] = histogram.labels(*labels)
        child.observe(took_s)


def _settled(each: Applied) -> Iterator[tuple[tuple[str, ...], float]]:
    """The commands that are awaited no longer, and how long they took."""
    state, transition = each.decision.state, each.decision.transition
    if transition is None:
        return
    awaited = [(pending.step, pending.kind) for pending in state.pending]
    for pending in each.before.pending:
        if (pending.step, pending.kind) not in awaited:
            labels = (state.saga, pending.step, str(pending.kind), _outcome(each, transition))
            yield labels, _seconds(pending.first_at, transition.at)


def _seconds(begin: datetime, end: datetime) -> float:
    return max((end - begin).total_seconds(), 0.0)


def _has_ended(each: Applied) -> bool:
    return each.decision.transition is not None and each.decision.state.status.ended


def _got_stuck(each: Applied) -> bool:
    return each.before.status is not Status.STUCK and each.decision.state.status is Status.STUCK


def _step(each: Applied) -> str:
    transition = each.decision.transition
    return (transition.step if transition else None) or ""


def _reply(each: Applied) -> tuple[str, str] | None:
    if not isinstance(each.message, Replied):
        return None
    effect = "ignored" if each.decision.transition is None else "applied"
    return str(each.message.reply.outcome), effect


def _attempt(each: Applied) -> tuple[str, str, str, str] | None:
    """The attempt that the message settled, and how."""
    transition = each.decision.transition
    if transition is None or transition.kind is None or transition.step is None:
        return None
    if isinstance(each.message, Replied):
        outcome = str(each.message.reply.outcome)
    elif isinstance(each.message, Woken) and "step-failed" in transition.events:
        outcome = "timeout"
    else:
        return None
    return each.decision.state.saga, transition.step, str(transition.kind), outcome


def _outcome(each: Applied, transition: Transition) -> str:
    if "step-unknown" in transition.events:
        return "unknown"
    if isinstance(each.message, Replied):
        return str(each.message.reply.outcome)
    return "by_hand"


def _is_first(before: SagaState, command_id: str) -> bool:
    """An attempt that was held back is sent by the timer: that is its first sending, not a further one."""
    pending = before.pending_for(command_id)
    return pending is not None and pending.held
