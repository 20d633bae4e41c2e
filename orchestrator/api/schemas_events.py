"""What the OpenAPI document says of the streams of events."""

from datetime import datetime
from typing import Any

from pydantic import Field

from orchestrator.api.describing import SAFE, Route, Shown, header, problems, text
from orchestrator.api.event_stream import EventStream
from orchestrator.api.problems import Kind
from orchestrator.api.sse import MEDIA_TYPE
from orchestrator.changes import ID_PATTERN
from orchestrator.core.state import Status

REVISION = "[0-9]{1,18}"
EVENT_ID = f"^({ID_PATTERN})?$"  #: a browser sends an empty one where it has seen none


class TransitionTold(Shown):
    """The `data` of a message `event: transition`."""

    saga_id: str
    saga: str
    version: int
    revision: int
    status: Status = Field(description="The saga's, after it.")
    step: str | None
    attempt: int | None
    code: str | None
    at: datetime
    events: list[str] = Field(description="What happened, such as `step-succeeded`.")


_EXAMPLE = """\
retry: 2000

event: transition
id: 2
data: {"saga_id":"a","saga":"order","version":1,"revision":2,"status":"running","step":"reserve-stock","attempt":1,\
"code":null,"at":"2026-01-01T12:00:00.000Z","events":["step-succeeded"]}

: ping

"""


#: One message; OpenAPI 3.1 has no word for "a stream of these".
_MESSAGE = {
    "type": "object",
    "description": "Each message of the stream, by its fields.",
    "properties": {
        "event": {"enum": ["transition", "reset", "end"]},
        "id": {"type": "string", "description": "What to send as `Last-Event-ID` to go on behind it."},
        "data": {"type": "string", "description": "Of a transition: JSON. Of an end: the saga's status."},
        "retry": {"description": "Milliseconds after which to come back when the connection breaks."},
    },
}


def _stream(operation_id: str, summary: str, description: str, last_event_id: dict[str, Any], *kinds: Kind) -> Route:
    content = {MEDIA_TYPE: {"schema": _MESSAGE, "example": _EXAMPLE}}
    told = {"X-Accel-Buffering": text("`no`: a proxy must pass each message on.", "no")}
    return {
        "operation_id": operation_id,
        "summary": summary,
        "response_class": EventStream,
        "status_code": 200,
        "responses": {
            200: {"description": description, "content": content, "headers": told},
            **problems(*kinds, Kind.INVALID_REQUEST, Kind.OVERLOADED, *SAFE),
        },
        "openapi_extra": {"parameters": [last_event_id]},
    }


_TOLD = (
    "Server-sent events. One message `event: transition` for each transition, its `data` a `TransitionTold`; a comment "
    "`: ping` every 15 s; `event: reset` where what was asked for is not known any more, and then what is. "
)

FOLLOW_ALL = _stream(
    "followSagas",
    "Follow every saga",
    _TOLD + "It does not end by itself: `max_s` bounds it.",
    header("Last-Event-ID", "Go on behind this event. Without it: what happens from now on.", pattern=EVENT_ID),
)
FOLLOW = _stream(
    "followSaga",
    "Follow a saga",
    _TOLD + "`id` is the revision. After the saga's end: `event: end` with the status as `data`, and the answer ends.",
    header("Last-Event-ID", "Go on behind this revision. Without it: from the first one.", pattern=f"^({REVISION})?$"),
    Kind.SAGA_NOT_FOUND,
)
FOLLOW["responses"][204] = {"description": "The saga has ended, and everything of it has been told."}
