"""What a participant counts, and its page for Prometheus; beside it `/readyz`, for whoever looks after its process.

Off unless a port is set, on loopback unless told otherwise. A small server in a thread: a scrape waits for no handler.
No label holds an id or a rejection's code; `command` is one of the types that the participant has a handler for.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from socket import AF_INET, SOCK_STREAM, getaddrinfo
from socketserver import ThreadingMixIn
from threading import Thread
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import structlog
from prometheus_client import CollectorRegistry, ProcessCollector, make_wsgi_app
from prometheus_client import Metric as Family
from prometheus_client.registry import Collector

from adapters.metrics import BUILD, BUS, Metric, WithoutCreationTimes, build_family, bus_families, counter, histogram
from adapters.streams.counts import Counts
from sagas.messages import Outcome

log = structlog.get_logger(__name__)

OTHER = "other"  #: a type that the participant has no handler for

_WORK_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_WAIT_S = (0.001, 0.005, 0.025, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 1_800)
_COMMANDS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000)

ANSWERED = counter(
    "saga_participant_commands_total",
    "Commands answered, by their answer: succeeded, rejected (the business said no), failed (tried again).",
    *("participant", "command", "outcome"),
)
REPEATED = counter(
    "saga_participant_repeats_total",
    "Commands that were answered before: the stored reply again, and no second effect.",
    *("participant", "command"),
)
DURATION = histogram(
    "saga_participant_processing_seconds",
    _WORK_S,
    "From taking up a command to its answer; commands handled together take as long as their batch.",
    *("participant", "command", "outcome"),
)
QUEUED = histogram(
    "saga_participant_queue_seconds",
    _WAIT_S,
    "From a command's sending to its being taken up, by two machines' clocks.",
    "participant",
)
BATCH = histogram("saga_participant_batch_commands", _COMMANDS, "Commands taken up together.", "participant")
ABORTED = counter(
    "saga_participant_batches_aborted_total",
    "Batches in which a handler raised; their commands were done again, one by one.",
    "participant",
)
FOLDED = counter(
    "saga_participant_ledger_rows_folded_total",
    "Rows of the ledger that became part of an opening row because their time was over (`SAGA_LEDGER_RETENTION_DAYS`).",
    "participant",
)

PARTICIPANTS = (ANSWERED, REPEATED, DURATION, QUEUED, BATCH, ABORTED, FOLDED)


def every_metric() -> Iterator[Metric]:
    """All that the page has."""
    yield from (*PARTICIPANTS, *BUS, BUILD)


class Recorder:
    """Everything that is counted as it happens, of all participants of a process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry(auto_describe=True)
        # Each of these finds a child by its labels. The library looks it up anew, under a lock, for each command.
        self._answered = cache(ANSWERED.counter(self.registry).labels)
        self._repeated = cache(REPEATED.counter(self.registry).labels)
        self._duration = cache(DURATION.histogram(self.registry).labels)
        self._queued = cache(QUEUED.histogram(self.registry).labels)
        self._batch = cache(BATCH.histogram(self.registry).labels)
        self._aborted = cache(ABORTED.counter(self.registry).labels)
        self._folded = cache(FOLDED.counter(self.registry).labels)

    def participates(self, participant: str, commands: Iterable[str]) -> None:
        """Its counters are there from the beginning, at 0: a rate needs a first value."""
        self._aborted(participant)
        self._folded(participant)
        for command in commands:
            self._repeated(participant, command)
            for outcome in Outcome:
                self._answered(participant, command, outcome)

    def taken_up(self, participant: str, waited_s: Sequence[float]) -> None:
        """Commands that came together; how long each has waited."""
        for seconds in waited_s:
            self._queued(participant).observe(max(seconds, 0.0))
        self._batch(participant).observe(len(waited_s))

    def answered(self, participant: str, command: str, outcome: Outcome, took_s: float, *, repeat: bool) -> None:
        """A command has its answer."""
        self._answered(participant, command, outcome).inc()
        self._duration(participant, command, outcome).observe(took_s)
        if repeat:
            self._repeated(participant, command).inc()

    def aborted(self, participant: str) -> None:
        """A handler raised among commands that were handled together."""
        self._aborted(participant).inc()

    def folded(self, participant: str, rows: int) -> None:
        """Rows of its ledger became part of an opening row."""
        self._folded(participant).inc(rows)


class Page(Collector):
    """Everything that a process with participants shows."""

    def __init__(self, recorder: Recorder, counts: Counts) -> None:
        self._counts = counts
        self.registry = CollectorRegistry()
        self.registry.register(WithoutCreationTimes(recorder.registry))
        self.registry.register(self)
        ProcessCollector(registry=self.registry)

    def describe(self) -> Iterable[Family]:
        """Nothing beforehand."""
        return ()

    def collect(self) -> Iterator[Family]:
        yield build_family()
        yield from bus_families(self._counts)


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True  # One that is slow to ask does not keep the process from ending.

    def __init__(self, place: tuple[str, int], handler: type[WSGIRequestHandler]) -> None:
        families = [family for family, *_ in getaddrinfo(place[0] or None, place[1], type=SOCK_STREAM)]
        self.address_family = AF_INET if AF_INET in families else families[0]  # A name may have both.
        super().__init__(place, handler)


class _Silent(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Probes and scrapes are no news."""


def _application(page: Page, problems: Callable[[], Sequence[str]]) -> Callable[..., Iterable[bytes]]:
    metrics: Any = make_wsgi_app(page.registry)

    def answer(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ.get("PATH_INFO") != "/readyz":
            return list(metrics(environ, start_response))
        found = problems()
        start_response("503 Service Unavailable" if found else "200 OK", [("Content-Type", "text/plain")])
        return ["".join(f"{problem}\n" for problem in found or ["ready"]).encode()]

    return answer


@contextmanager
def serving(
    page: Page, host: str, port: int | None, problems: Callable[[], Sequence[str]] = lambda: ()
) -> Iterator[str | None]:
    """The page's URL while it is served; None where no port is set. Raises `OSError` where the port is taken.

    `problems` is called in a thread, and says in words why the process is not ready.
    """
    if port is None:
        yield None
        return
    server = make_server(host, port, _application(page, problems), _Server, _Silent)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    url = f"http://{f'[{host}]' if ':' in host else host}:{server.server_port}/metrics"
    log.info("metrics-started", url=url)
    try:
        yield url
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
