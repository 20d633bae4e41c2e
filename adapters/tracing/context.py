"""W3C trace contexts, and span ids that anybody can derive. Pure.

A span id that follows from a command's id and attempt needs no storing: whichever replica sends, receives or settles
that attempt names the same span. See https://www.w3.org/TR/trace-context/.
"""

import re
from hashlib import blake2b
from typing import NamedTuple

_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})")
_SAMPLED = 1


class TraceContext(NamedTuple):
    """A span's place: the parent of what follows."""

    trace_id: int
    span_id: int
    sampled: bool

    def __str__(self) -> str:
        """As the header `traceparent` has it."""
        return f"00-{self.trace_id:032x}-{self.span_id:016x}-{'01' if self.sampled else '00'}"

    def at(self, span_id: int) -> "TraceContext":
        """Another span of the same trace."""
        return self._replace(span_id=span_id)


def parse(traceparent: str | None) -> TraceContext | None:
    """The context; None for what is none."""
    found = _TRACEPARENT.fullmatch(traceparent) if traceparent else None
    if found is None:
        return None
    return TraceContext(int(found[1], 16), int(found[2], 16), bool(int(found[3], 16) & _SAMPLED))


def trace_id_of(traceparent: str | None) -> str | None:
    """The trace id as logs show it."""
    found = parse(traceparent)
    return None if found is None else f"{found.trace_id:032x}"


def derived(*parts: object) -> int:
    """A span id that follows from these parts, and from nothing else."""
    digest = blake2b("\n".join(map(str, parts)).encode(errors="replace"), digest_size=8).digest()
    return int.from_bytes(digest) or 1


def of_saga(saga_id: str) -> int:
    """The span of a saga's start: the parent of everything in it."""
    return derived("saga", saga_id)


def of_attempt(command_id: str, attempt: int) -> int:
    """The span of one attempt of a command: from its sending to what settled it."""
    return derived("attempt", command_id, attempt)


def of_sending(command_id: str, attempt: int, time: str) -> int:
    """The span of one sending of that attempt; `time` is the message's, as on the wire."""
    return derived("send", command_id, attempt, time)
