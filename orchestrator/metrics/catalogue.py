"""Every metric: its name, type, labels and what it says. docs/metrics.md is made from this, and so are the metrics."""

from collections.abc import Iterator

from adapters.metrics import BUILD, BUS, Metric
from adapters.metrics import counter as _counter
from adapters.metrics import gauge as _gauge
from adapters.metrics import histogram as _histogram

_SAGA_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1_800, 7_200, 86_400)
_STEP_S = (0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1_800)
_WORK_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_HTTP_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_MESSAGES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000)

# -- sagas -----------------------------------------------------------------------------------------------------------

STARTED = _counter("saga_started_total", "Sagas accepted and stored.", "saga")
REPEATED = _counter("saga_starts_repeated_total", "Starts whose id was taken already, mostly by the same request.")
START_EVENTS = _counter(
    "saga_start_events_total",
    "Events read from a stream of another service, by what came of them: started a saga, repeated an event that had, "
    "ignored (another type), dead (can't start one).",
    "stream",
    "outcome",
)
ENDED = _counter("saga_ended_total", "Sagas that have ended, by their end: completed or compensated.", "saga", "status")
STUCK = _counter("saga_stuck_total", "Times that a saga became stuck at a step: a person must look.", "saga", "step")
PURGED = _counter("saga_purged_total", "Ended sagas removed because their time was over (`SAGA_RETENTION_DAYS`).")
DURATION = _histogram(
    "saga_duration_seconds", _SAGA_S, "From a saga's acceptance to its end, by that end.", "saga", "outcome"
)
ACTIVE = _gauge(
    "saga_active", "Sagas that have not ended, counted in MongoDB and so the same for every replica.", "saga", "status"
)
OLDEST = _gauge(
    "saga_oldest_active_timestamp_seconds",
    "When the oldest saga that is running or compensating was created; absent without any. Its age: time() - this. "
    "A stuck one waits for a person, not for its turn: it is in `saga_active`.",
    "saga",
)

# -- steps -----------------------------------------------------------------------------------------------------------

STEP_DURATION = _histogram(
    "saga_step_duration_seconds",
    _STEP_S,
    "From the first sending of a command to the reply that settled it, retries included. The outcome unknown: given up "
    "without an answer; by_hand: an operator settled it.",
    "saga",
    "step",
    "kind",
    "outcome",
)
ATTEMPTS = _counter(
    "saga_step_attempts_total",
    "Attempts of commands that counted, by how they went: succeeded, rejected, failed, timeout.",
    "saga",
    "step",
    "kind",
    "outcome",
)
RESENT = _counter(
    "saga_commands_resent_total",
    "Commands sent once more because they, or their replies, may have been lost. Not an attempt.",
    "saga",
    "step",
    "kind",
)

# -- the engine ------------------------------------------------------------------------------------------------------

REPLIES = _counter(
    "saga_replies_total",
    "Replies processed, by whether they changed a saga (applied) or were late or repeated (ignored).",
    "outcome",
    "effect",
)
UNKNOWN = _counter("saga_messages_unknown_total", "Messages for sagas or definitions that are not known here.")
BATCH = _histogram("saga_apply_batch_messages", _MESSAGES, "Messages that were decided, saved and announced together.")
APPLY_DURATION = _histogram("saga_apply_duration_seconds", _WORK_S, "To decide, save and announce such a batch.")
CONFLICTS = _counter("saga_revision_conflicts_total", "Saves that were lost to another writer and decided again.")
SWEEP_DURATION = _histogram("saga_sweep_duration_seconds", _WORK_S, "One look through the timers.")
SWEEP_DUE = _gauge("saga_sweep_due", "Timers that were due at the newest look, at most one batch of them.")
TIMER_LAG = _gauge(
    "saga_timer_lag_seconds", "How late the latest timer was at the newest look through them; 0 where none was due."
)
TIMERS = _counter("saga_timers_fired_total", "Timers that were due.")
WAITING = _gauge("saga_starts_waiting", "Starts that wait to be stored.")

# -- HTTP ------------------------------------------------------------------------------------------------------------

REQUESTS = _counter(
    "saga_http_requests_total",
    "Requests answered, by the route's template; other: no such path, or refused before it was looked at.",
    *("route", "method", "status"),
)
REQUEST_DURATION = _histogram(
    "saga_http_request_duration_seconds",
    _HTTP_S,
    "From a request's head to the end of its answer. Includes what a client asked to wait (Prefer: wait).",
    *("route", "method", "status"),
)

LISTENERS = _gauge("saga_listeners", "Clients that listen to events right now.")
TOLD = _counter("saga_listener_events_total", "Events told to listeners, each listener by itself.")
CUT_OFF = _counter("saga_listeners_cut_off_total", "Listeners cut off because they did not keep up.")

# -- the bus ---------------------------------------------------------------------------------------------------------

LENGTH = _gauge("saga_stream_length", "Entries on a stream, settled ones that are not trimmed yet included.", "stream")
DEAD_LETTERS = _gauge(
    "saga_dead_letters",
    "Dead letters of a stream that wait to be redriven or deleted, counted in MongoDB; of all streams 10,000 at most.",
    "stream",
)
DEAD_LENGTH = _gauge(
    "saga_dead_letter_stream_length",
    "Entries on a stream's dead letter stream, whatever became of them; the newest 100,000 stay.",
    "stream",
)
LAG = _gauge(
    "saga_stream_group_lag", "Entries not delivered to a group yet; absent where it is not known.", "stream", "group"
)
LAG_KNOWN = _gauge(
    "saga_stream_group_lag_known",
    "1 where Redis can tell the lag; 0: it can't, or the group is missing.",
    *("stream", "group"),
)
PENDING = _gauge("saga_stream_group_pending", "Entries delivered to a group and not acknowledged.", "stream", "group")
OLDEST_PENDING = _gauge(
    "saga_stream_group_oldest_pending_idle_seconds",
    "Since the oldest pending entry was delivered last; 0 without any.",
    *("stream", "group"),
)
CONSUMERS = _gauge(
    "saga_stream_group_consumers",
    "Living consumers of a group of ours: with a heartbeat; of other programs, that came within a minute.",
    *("stream", "group"),
)

# -- the process -----------------------------------------------------------------------------------------------------

UP = _gauge(
    "saga_dependency_up", "Whether a server answered at the newest look: mongodb with a primary, redis.", "dependency"
)

SECTIONS = {
    "Sagas": (STARTED, REPEATED, START_EVENTS, ENDED, PURGED, STUCK, DURATION, ACTIVE, OLDEST),
    "Steps": (STEP_DURATION, ATTEMPTS, RESENT),
    "The engine": (
        *(REPLIES, UNKNOWN, BATCH, APPLY_DURATION, CONFLICTS),
        *(SWEEP_DURATION, SWEEP_DUE, TIMER_LAG, TIMERS, WAITING),
    ),
    "HTTP": (REQUESTS, REQUEST_DURATION, LISTENERS, TOLD, CUT_OFF),
    "The bus": (
        *BUS,
        *(LENGTH, DEAD_LETTERS, DEAD_LENGTH, LAG, LAG_KNOWN, PENDING, OLDEST_PENDING, CONSUMERS),
    ),
    "The process": (UP, BUILD),
}


def every_metric() -> Iterator[Metric]:
    """All of them, in the order of their sections."""
    for metrics in SECTIONS.values():
        yield from metrics
