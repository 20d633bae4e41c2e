"""Server-sent events, as the WHATWG's HTML standard says they are read. Pure: bytes in, events out."""

from codecs import getincrementaldecoder
from collections.abc import Iterator
from dataclasses import dataclass

MAX_EVENT_LENGTH = 1_000_000  #: characters; the service's own events have a few hundred


@dataclass(frozen=True, slots=True)
class ServerEvent:
    """One event; `id` is the newest that the stream has given, here or before."""

    event: str
    data: str
    id: str


class TooLong(ValueError):
    """Something that is no event of ours goes on and on."""


class SseParser:
    """Reads one connection's body; `last_id` and `retry_s` are what a next connection needs."""

    def __init__(self, last_id: str = "") -> None:
        self.last_id = last_id
        self.retry_s: float | None = None
        self._decoder = getincrementaldecoder("utf-8-sig")(errors="replace")
        self._rest = ""
        self._event = ""
        self._data: list[str] = []
        self._id = last_id
        self._length = 0

    def feed(self, chunk: bytes) -> Iterator[ServerEvent]:
        """The events that this piece completes; raises `TooLong`."""
        text = self._rest + self._decoder.decode(chunk)
        # A carriage return at the end may be half of a line's end.
        held = text.endswith("\r")
        lines = (text[:-1] if held else text).replace("\r\n", "\n").replace("\r", "\n").split("\n")
        self._rest = lines.pop() + ("\r" if held else "")
        self._check(len(self._rest))
        for line in lines:
            if event := self._line(line):
                yield event

    def _line(self, line: str) -> ServerEvent | None:
        if not line:
            return self._dispatch()
        self._length += len(line)
        self._check(self._length)
        name, _, value = line.partition(":")
        self._field(name, value.removeprefix(" "))
        return None

    def _field(self, name: str, value: str) -> None:
        match name:
            case "event":
                self._event = value
            case "data":
                self._data.append(value)
            case "id" if "\0" not in value:
                self._id = value
            case "retry" if value.isascii() and value.isdigit() and len(value) < 10:
                self.retry_s = int(value) / 1000
            case _:
                pass  # A comment (": ping"), or something newer.

    def _dispatch(self) -> ServerEvent | None:
        event, data = self._event or "message", self._data
        self._event, self._data, self._length = "", [], 0
        self.last_id = self._id
        return ServerEvent(event, "\n".join(data), self.last_id) if data else None

    def _check(self, length: int) -> None:
        if length > MAX_EVENT_LENGTH:
            raise TooLong(f"an event of more than {MAX_EVENT_LENGTH} characters")
