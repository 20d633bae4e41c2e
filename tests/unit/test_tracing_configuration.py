"""Tracing is off unless OpenTelemetry's own variables ask for it, and off it costs nothing."""

import subprocess
import sys
from collections.abc import Mapping

import pytest

from adapters.tracing.configuration import configured

CONFIGURE = """
import sys
from adapters.tracing.configuration import tracing
with tracing("saga-orchestrator") as tracer:
    print(tracer.on, "opentelemetry.sdk.trace" in sys.modules)
"""


def run(program: str, **environment: str) -> str:
    """What a process with this environment and nothing else of OpenTelemetry prints."""
    ran = subprocess.run(
        [sys.executable, "-c", program], env={"PATH": ""} | environment, capture_output=True, text=True, check=True
    )
    return ran.stdout.strip() + ran.stderr.strip()


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"},
        {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_SDK_DISABLED": "true"},
    ],
)
def test_off_nothing_of_the_sdk_is_imported(environment: Mapping[str, str]) -> None:
    assert run(CONFIGURE, **environment) == "False False"


@pytest.mark.parametrize(
    "environment",
    [
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"},
        {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:1/v1/traces"},
        {"OTEL_TRACES_EXPORTER": "console"},
    ],
)
def test_an_endpoint_or_an_exporter_switches_it_on(environment: Mapping[str, str]) -> None:
    assert run(CONFIGURE, **environment).endswith("True True")


def test_what_is_not_installed_is_said_and_sagas_run_without_traces() -> None:
    said = run(CONFIGURE, OTEL_TRACES_EXPORTER="zipkin")
    assert "False" in said
    assert "tracing-unavailable" in said
    assert "the exporter zipkin is not installed: pip install -e '.[otel]'" in said


def test_the_end_of_a_process_waits_for_a_dead_collector_within_its_bound() -> None:
    program = """
import time
from adapters.tracing import configuration
from adapters.tracing.context import TraceContext
from adapters.tracing.port import Finished
configuration.FLUSH_WITHIN_S = 0.2
begun = time.monotonic()
with configuration.tracing("saga-orchestrator") as tracer:
    for n in range(10_000):  # More than the queue holds.
        tracer.emit(Finished(name="a", parent=TraceContext(1, 2, True), begin_ns=1, end_ns=2))
print(time.monotonic() - begun < 5)
"""
    assert "True" in run(program, OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:1")


def test_whoever_sets_opentelemetry_up_by_himself_gets_our_spans_too() -> None:
    program = """
from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
kept = InMemorySpanExporter()
provider = TracerProvider(resource=Resource({"service.name": "theirs"}))
provider.add_span_processor(SimpleSpanProcessor(kept))
trace.set_tracer_provider(provider)
from adapters.tracing.configuration import tracing
with tracing("ours") as tracer:
    with tracer.around("a"):
        pass
with trace.get_tracer("theirs").start_as_current_span("b"):  # Theirs goes on when ours has ended.
    pass
spans = kept.get_finished_spans()
print([span.name for span in spans], spans[0].resource.attributes["service.name"])
"""
    assert run(program) == "['a', 'b'] theirs"


def test_off_is_a_null_object() -> None:
    tracer = configured("any", {})
    with tracer.around("a") as span:
        assert span.context is None
    assert tracer.begin_trace("a", 1) is None
    assert tracer.current() is None
