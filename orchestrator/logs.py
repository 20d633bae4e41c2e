"""Logs: one line per fact on standard error, with an event's name and ids, never a payload.

People get coloured lines on a terminal, programs get JSON. The libraries' own logging goes the same way.
"""

import logging
import sys
from typing import TextIO

import structlog

_LIBRARIES_LEVEL = logging.WARNING  #: what servers and clients say in passing is no fact about sagas


def configure(level: str = "info", log_format: str = "auto", stream: TextIO | None = None) -> None:
    """Set up structlog and the standard library's logging for this process. `stream` is standard error by default."""
    out = stream or sys.stderr
    number = logging.getLevelNamesMapping()[level.upper()]
    people = log_format == "console" or (log_format == "auto" and out.isatty())
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    rendering = _for_people(out) if people else _for_programs()
    structlog.configure(
        processors=[*shared, *rendering],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(file=out),
        cache_logger_on_first_use=True,
    )
    _route_standard_logging(out, shared, rendering, number)


def _for_people(out: TextIO) -> list[structlog.typing.Processor]:
    # Not the prettier tracebacks: they show local variables, and so payloads.
    return [structlog.dev.ConsoleRenderer(colors=out.isatty(), exception_formatter=structlog.dev.plain_traceback)]


def _for_programs() -> list[structlog.typing.Processor]:
    return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]


def _route_standard_logging(
    out: TextIO, shared: list[structlog.typing.Processor], rendering: list[structlog.typing.Processor], level: int
) -> None:
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder()],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *rendering],
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(max(level, _LIBRARIES_LEVEL))
