"""Server-sent events as they go over the wire. Pure. See https://html.spec.whatwg.org/multipage/server-sent-events.html.

A client's last event id is the newest `id` it has seen, also of a block that has no data and so is no message.
"""

from datetime import datetime
from functools import lru_cache

from pydantic_core import to_json

from orchestrator.api.view import Json, rfc3339
from orchestrator.core.state import Status, Transition

MEDIA_TYPE = "text/event-stream"
RETRY = b"retry: 2000\n\n"  #: milliseconds after which a client whose connection broke comes back
PING = b": ping\n\n"


def transition(event_id: str, saga_id: str, saga: str, version: int, made: Transition) -> bytes:
    """One transition of a saga."""
    data = _data(
        (saga_id, saga, version, made.revision),
        (made.status.value, made.step, made.attempt, made.code),
        made.at,
        made.events,
    )
    return b"event: transition\nid: %b\ndata: %b\n\n" % (event_id.encode(), data)


@lru_cache(maxsize=8_192)  # Everybody who listens is told the same.
def _data(
    whose: tuple[str, str, int, int],
    what: tuple[str, str | None, int | None, str | None],
    at: datetime,
    events: tuple[str, ...],
) -> bytes:
    saga_id, saga, version, revision = whose
    status, step, attempt, code = what
    shown: Json = {
        "saga_id": saga_id,
        "saga": saga,
        "version": version,
        "revision": revision,
        "status": status,
        "step": step,
        "attempt": attempt,
        "code": code,
        "at": rfc3339(at),
        "events": list(events),
    }
    return to_json(shown)


def position(event_id: str) -> bytes:
    """A ping that also moves the client's last event id on, so that it does not grow too old."""
    return b": ping\nid: %b\n\n" % event_id.encode()


def reset(data: Json, event_id: str | None = None) -> bytes:
    """What happened before this may not have been told."""
    told = b"" if event_id is None else b"id: %b\n" % event_id.encode()
    return b"event: reset\n%bdata: %b\n\n" % (told, to_json(data))


def end(status: Status, revision: int) -> bytes:
    """The saga has ended, and there is nothing more to say."""
    return b"event: end\nid: %d\ndata: %b\n\n" % (revision, status.value.encode())
