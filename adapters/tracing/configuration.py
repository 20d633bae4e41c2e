"""Whether and where spans go: OpenTelemetry's own environment variables. For composition roots only.

Nothing of the SDK is imported while tracing is off. Export runs in a thread with a bounded queue (`OTEL_BSP_…`): a
collector that is slow or dead costs spans, and nothing else.
"""

import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any

import structlog

from adapters.tracing.port import Tracer, Untraced

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter

log = structlog.get_logger(__name__)

FLUSH_WITHIN_S = 5.0  #: how long the end of a process waits for spans to go out

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_PROTOCOLS = {"http/protobuf": "otlp_proto_http", "grpc": "otlp_proto_grpc"}
_INSTALL = "pip install -e '.[otel]' in a clone of the project"


@contextmanager
def tracing(service: str, environment: Mapping[str, str] = os.environ) -> Iterator[Tracer]:
    """A service's tracer as the environment wants it; what waits at the end is written within a bound."""
    tracer = configured(service, environment)
    try:
        yield tracer
    finally:
        tracer.shutdown(FLUSH_WITHIN_S)


def configured(service: str, environment: Mapping[str, str] = os.environ) -> Tracer:
    """The tracer. One that a program has set up for itself is used as it is, under the name that it has."""
    if environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return Untraced()
    own = _set_up_before()
    wanted = _exporters(environment)
    if own is None and not wanted:
        return Untraced()
    try:
        return _tracer(service, environment, own, wanted)
    except ImportError as error:
        log.warning("tracing-unavailable", reason=f"{error.name} is not installed: {_INSTALL}")
    except Exception as error:  # noqa: BLE001 - an exporter that can't be made must not keep sagas from running
        log.warning("tracing-unavailable", reason=f"{type(error).__name__}: {error}")
    return Untraced()


def _set_up_before() -> "TracerProvider | None":
    """The provider of whoever runs us, as `opentelemetry-instrument` does."""
    if "opentelemetry.sdk.trace" not in sys.modules:
        return None
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.trace import get_tracer_provider  # noqa: PLC0415

    found = get_tracer_provider()
    return found if isinstance(found, TracerProvider) else None


def _exporters(environment: Mapping[str, str]) -> list[str]:
    """The names of the wanted exporters; none where tracing is off."""
    named = environment.get("OTEL_TRACES_EXPORTER", "").strip()
    if not named and any(environment.get(name, "").strip() for name in _ENDPOINTS):
        named = "otlp"
    return [name for each in named.split(",") if (name := each.strip()) and name != "none"]


def _tracer(service: str, environment: Mapping[str, str], own: "TracerProvider | None", wanted: list[str]) -> Tracer:
    from adapters.tracing.otel import OtelTracer  # noqa: PLC0415

    if own is not None:
        return OtelTracer(lambda _: own, service, time.time_ns, own=False)
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
    from opentelemetry.trace import set_tracer_provider  # noqa: PLC0415

    processors = [BatchSpanProcessor(_exporter(name, environment)) for name in wanted]

    def provider_of(name: str) -> "TracerProvider":
        return _provider(name, environment, processors)

    tracer = OtelTracer(provider_of, service, time.time_ns)
    set_tracer_provider(tracer.provider)  # So that the spans of handlers and their libraries are written too.
    log.info("tracing-started", service=service, exporters=wanted)
    return tracer


def _exporter(name: str, environment: Mapping[str, str]) -> "SpanExporter":
    if name == "otlp":
        given = [environment.get(f"OTEL_EXPORTER_OTLP_{each}PROTOCOL", "").strip() for each in ("TRACES_", "")]
        protocol = next(filter(None, given), "http/protobuf")
        name = _PROTOCOLS.get(protocol, f"for OTLP over {protocol}")
    found = next(iter(entry_points(group="opentelemetry_traces_exporter", name=name)), None)
    if found is None:
        raise ImportError(name=f"the exporter {name}")
    made: SpanExporter = found.load()()
    return made


def _provider(service: str, environment: Mapping[str, str], processors: list[Any]) -> "TracerProvider":
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415

    named = environment.get("OTEL_SERVICE_NAME") or "service.name=" in environment.get("OTEL_RESOURCE_ATTRIBUTES", "")
    resource = Resource.create({} if named else {"service.name": service})
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    for processor in processors:
        provider.add_span_processor(processor)
    return provider
