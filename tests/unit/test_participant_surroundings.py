"""What is counted and traced of the handling of commands, alone and in batches."""

import shutil
import socket
import subprocess
from random import Random

import httpx
import pytest
import structlog

from adapters.streams.counts import Counts
from adapters.tracing.context import TraceContext
from cli import healthy
from participants.memory_inbox import MemoryInbox
from participants.metrics import Page, Recorder, every_metric, serving
from participants.participant import Participant, Service
from participants.surroundings import Surroundings
from sagas.messages import CommandMessage
from support.metrics import Read, read
from support.participants import NOW, Bench, StillClock, action, bank, compensation, message, replies_of
from support.traces import Traces, keeping


class Watched(Bench):
    """A participant that is counted and traced."""

    def __init__(self, participant: Participant) -> None:
        super().__init__(participant)
        self.recorder, self.traces = Recorder(), Traces()
        tracer = keeping(self.traces, "saga-participant-bank")
        surroundings = Surroundings("bank", "t.commands.bank", tracer=tracer, recorder=self.recorder)
        self.service = Service(participant, self.inbox, self.clock, surroundings)

    def read(self) -> Read:
        return read(self.recorder.registry)


def traced(number: int, **data: object) -> CommandMessage:
    """An action of a saga with a trace of its own."""
    context = TraceContext(number, number, sampled=True)
    return message(f"s{number}/take/action", "bank.take", data, traceparent=str(context))


@pytest.mark.parametrize("batch", [True, False])
async def test_commands_are_counted_by_their_answer_and_repeats_once_more(*, batch: bool) -> None:
    bench = Watched(bank(batch=batch))
    await bench.deliver(action("a"), action("b", amount=1_000), compensation("a"))
    await bench.deliver(action("a", attempt=2))
    page = bench.read()
    assert page.all("saga_participant_commands_total") == {
        ("bank.put-back", "succeeded", "bank"): 1,
        ("bank.take", "succeeded", "bank"): 2,
        ("bank.take", "rejected", "bank"): 1,
    }
    assert page.all("saga_participant_repeats_total") == {("bank.take", "bank"): 1}
    assert page.all("saga_participant_processing_seconds_count") == page.all("saga_participant_commands_total")
    assert page.all("saga_participant_batch_commands_sum") == {("bank",): 4}


@pytest.mark.parametrize("others", [(), (action("a"),)], ids=["alone", "in company"])
async def test_a_batch_that_a_handler_aborts_is_counted_and_only_the_culprit_fails(
    others: tuple[CommandMessage, ...],
) -> None:
    bench = Watched(bank())
    await bench.deliver(*others, action("b", till="broken"))
    page = bench.read()
    assert page.all("saga_participant_batches_aborted_total") == {("bank",): 1}
    assert page.value("saga_participant_commands_total", participant="bank", command="bank.take", outcome="failed") == 1


async def test_how_long_a_command_waited_for_its_participant() -> None:
    bench = Watched(bank())
    bench.clock.time = NOW.replace(second=7)
    await bench.deliver(action("a"))
    assert bench.read().all("saga_participant_queue_seconds_sum") == {("bank",): 7}


async def test_a_type_that_nobody_handles_makes_no_label() -> None:
    bench = Watched(bank())
    await bench.deliver(message("a/x/action", "bank.anything-at-all", {}))
    counted = bench.read().all("saga_participant_commands_total")
    assert counted == {("other", "failed", "bank"): 1}


async def test_one_command_has_its_span_in_its_sagas_trace() -> None:
    bench = Watched(bank())
    await bench.deliver(traced(1))
    span = bench.traces.one("process bank")
    assert (span.trace_id, span.parent_id) == (f"{1:032x}", f"{1:016x}")
    assert span.attributes["saga.outcome"] == "succeeded"
    await bench.deliver(traced(1))
    assert [one.attributes.get("saga.repeat") for one in bench.traces.named("process bank")] == [None, True]


async def test_commands_of_one_batch_have_a_span_each_and_the_batch_one_with_links() -> None:
    bench = Watched(bank())
    await bench.deliver(traced(1), traced(2, amount=1_000))
    batch = bench.traces.one("process bank batch")
    assert batch.parent_id == ""
    assert batch.attributes["messaging.batch.message_count"] == 2
    assert batch.links == [(f"{number:032x}", f"{number:016x}") for number in (1, 2)]
    spans = {span.trace_id: span for span in bench.traces.named("process bank")}
    assert {span.parent_id for span in spans.values()} == {f"{number:016x}" for number in (1, 2)}
    assert all(span.links == [(batch.trace_id, batch.span_id)] for span in spans.values())
    assert spans[f"{2:032x}"].attributes["saga.code"] == "empty"


async def test_a_failure_is_an_error_in_its_own_trace_without_its_words() -> None:
    bench = Watched(bank())
    await bench.deliver(traced(1), traced(2, till="broken"))
    failed = next(span for span in bench.traces.named("process bank") if span.trace_id == f"{2:032x}")
    assert failed.error == "handler-error"
    assert bench.traces.one("process bank batch").error == "aborted"
    assert "does not open" not in str(bench.traces.spans)


async def test_what_a_handler_logs_carries_saga_command_and_trace() -> None:
    said: list[dict[str, object]] = []
    participant = bank(batch=False)
    registration = participant.handlers["bank.take"]
    original = registration.handler

    async def telling(command: object, tx: object) -> object:
        said.append(dict(structlog.contextvars.get_contextvars()))
        return await original(command, tx)

    logging = Participant("bank")
    logging.handles(registration.endpoint)(telling)
    service = Service(logging, MemoryInbox(StillClock(), Random(0)), StillClock())
    await replies_of(service, traced(1))
    ids = {"saga_id": "s1", "command_id": "s1/take/action", "trace_id": f"{1:032x}"}
    assert said == [{"participant": "bank", **ids}]
    assert not structlog.contextvars.get_contextvars()


def page_of(url: str) -> httpx.Response:
    return httpx.get(url, trust_env=False)


def test_the_page_shows_every_metric_and_prometheus_linter_has_nothing_to_say() -> None:
    recorder = Recorder()
    recorder.participates("bank", ["bank.take"])
    with serving(Page(recorder, Counts(settled=3)), "127.0.0.1", 0) as url:
        assert url is not None
        answer = page_of(url)
    page = Read(answer.text)
    shown = {name for name in page.families if not name.startswith("process_")}
    assert shown == {metric.name.removesuffix("_total") for metric in every_metric()}
    assert page.value("saga_bus_entries_settled_total") == 3
    assert page.value("saga_participant_commands_total", participant="bank", command="bank.take", outcome="failed") == 0
    if shutil.which("promtool"):
        linted = subprocess.run(
            ["promtool", "check", "metrics"], input=answer.content, capture_output=True, check=False
        )
        assert (linted.returncode, linted.stdout, linted.stderr) == (0, b"", b"")


def test_a_port_that_is_taken_is_an_error_and_no_port_is_none() -> None:
    with serving(Page(Recorder(), Counts()), "127.0.0.1", None) as nowhere:
        assert nowhere is None
    with serving(Page(Recorder(), Counts()), "127.0.0.1", 0) as url:
        assert url is not None
        port = int(url.rpartition(":")[2].partition("/")[0])
        with pytest.raises(OSError, match="in use"), serving(Page(Recorder(), Counts()), "127.0.0.1", port):
            pass


@pytest.mark.parametrize("host", ["::1", "::"])
def test_the_page_is_served_at_an_address_of_the_newer_kind_too(host: str) -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6")
    with serving(Page(Recorder(), Counts()), host, 0) as url:
        assert page_of(str(url)).status_code == 200


def test_beside_the_page_the_process_says_whether_it_is_ready() -> None:
    problems: list[str] = []
    with serving(Page(Recorder(), Counts()), "127.0.0.1", 0, lambda: problems) as url:
        ready = str(url).replace("/metrics", "/readyz")
        assert (page_of(ready).status_code, page_of(ready).text) == (200, "ready\n")
        assert healthy.main(ready) == 0
        problems.append("Redis does not answer")
        assert (page_of(ready).status_code, page_of(ready).text) == (503, "Redis does not answer\n")
        assert healthy.main(ready) == 1
    assert healthy.main(ready) == 1
