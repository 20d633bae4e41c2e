"""Logs: one line per fact on standard error, with an event's name and ids, never a payload.

People get coloured lines on a terminal, programs get JSON. The libraries' own logging goes the same way. For
composition roots, orchestrator and participants alike; docs/observability.md lists the events.

What an exception says may hold anything that a client sent, so a line has its type and where it was raised; its words
only at the level `debug`. Nothing that is logged can begin a line of its own.
"""

import logging
import sys
import traceback
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, TextIO

import structlog

_LIBRARIES_LEVEL = logging.WARNING  #: what servers and clients say in passing is no fact about sagas

_SECONDS = "%Y-%m-%dT%H:%M:%SZ"  #: a moment for people

ROUTINE = frozenset({"reader-started"})

MAX_CHARS = 4_000  #: of one value
MAX_FRAMES = 20
MAX_CAUSES = 10


def configure(level: str = "info", log_format: str = "auto", stream: TextIO | None = None) -> None:
    """Set up structlog and the standard library's logging for this process. `stream` is standard error by default."""
    out = stream or sys.stderr
    number = logging.getLevelNamesMapping()[level.upper()]
    people = log_format == "console" or (log_format == "auto" and out.isatty())
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt=_SECONDS if people else "iso", utc=True),
        one_line,
        *([without_routine] if people and number > logging.DEBUG else []),
        structlog.processors.ExceptionRenderer(Exceptions(words=number <= logging.DEBUG, indent=people)),
    ]
    rendering = _for_people(out) if people else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[*shared, rendering],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=lambda *_: Lines(out),
        cache_logger_on_first_use=True,
    )
    _route_standard_logging(out, shared, rendering, number)


class Lines(structlog.WriteLogger):
    """Writes lines. One that can't be written is lost: a service outlives whoever reads its log."""

    def msg(self, message: str) -> None:
        """Write one line."""
        with suppress(OSError):
            super().msg(message)

    debug = info = warning = error = critical = msg


def _for_people(out: TextIO) -> structlog.dev.ConsoleRenderer:
    """Without padding: a line with ids is longer than most terminals as it is."""
    return structlog.dev.ConsoleRenderer(colors=out.isatty(), pad_event_to=0, pad_level=False)


def _route_standard_logging(
    out: TextIO, shared: list[structlog.typing.Processor], rendering: structlog.typing.Processor, level: int
) -> None:
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[structlog.stdlib.ExtraAdder(), *shared],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, rendering],
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(max(level, _LIBRARIES_LEVEL))


def without_routine(_logger: Any, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Leave out what each start says for each stream: programs wait for it, people look for what is not routine."""
    if event["event"] in ROUTINE:
        raise structlog.DropEvent
    return event


def one_line(_logger: Any, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Escape what could end a line or change a terminal, and cut what is too long: anybody's text may be in a value."""
    for name, value in event.items():
        if isinstance(value, str):
            event[name] = printable(value[:MAX_CHARS])
    return event


def printable(text: str) -> str:
    """The text with an escape for each character that can't be seen, line ends among them."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


class Exceptions:
    """Says of an exception what it was and where it was raised."""

    def __init__(self, *, words: bool, indent: bool) -> None:
        """`words`: its message too. `indent`: for people, with the lines of code, and no line looks like the log's."""
        self._words = words
        self._indent = indent

    def __call__(self, exc_info: structlog.typing.ExcInfo) -> str:
        lines = [line for error in _chain(exc_info[1]) for line in self._described(error)]
        return "\n".join(f"  | {line}" if self._indent else line for line in lines)

    def _described(self, error: BaseException) -> Iterable[str]:
        for frame in traceback.extract_tb(error.__traceback__, limit=-MAX_FRAMES):
            place = f"{frame.filename}:{frame.lineno} in {frame.name}"
            yield f"{place}: {printable(frame.line[:MAX_CHARS])}" if self._indent and frame.line else place
        kind = type(error)
        name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
        yield printable(f"{name}: {error}"[:MAX_CHARS]) if self._words else name


def _chain(error: BaseException | None) -> list[BaseException]:
    """The exception and what caused it, the cause first."""
    found: list[BaseException] = []
    while error is not None and error not in found and len(found) < MAX_CAUSES:
        found.insert(0, error)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return found
