"""The headers of each message in the AsyncAPI document: an entry's fields but `data`, as envelope.py has them."""

import re
from typing import Any

from adapters.streams.envelope import MAX_ID_CHARS
from sagas.messages import Kind, Outcome

Json = dict[str, Any]

_KINDS = "|".join(kind.value for kind in Kind)


def _text(description: str, **more: Any) -> Json:
    return {"type": "string", "description": description, "maxLength": MAX_ID_CHARS, **more}


_COMMAND_ID = rf"^[A-Za-z0-9_-]{{1,64}}/[a-z][a-z0-9-]*/({_KINDS})(/[1-9][0-9]*)?$"
_NUMBER = r"^[1-9][0-9]{0,8}$"
_SPECVERSION = {"const": "1.0", "description": "The version of CloudEvents."}
_SAGA_ID = _text("The saga's id.", pattern="^[A-Za-z0-9_-]{1,64}$")
_TRACEPARENT = _text("W3C trace context.")


def _time(description: str) -> Json:
    return _text(f"{description}, RFC 3339.", format="date-time")


def _headers(properties: Json, *optional: str, closed: bool = False) -> Json:
    """Closed: what we write ourselves, and so know to the last field."""
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": not closed}


def command(kind: str, participant: str, kinds: set[Kind], replies: str) -> Json:
    """Of a command of this type."""
    undoes = {
        "undoes": _text("The command that this one undoes.", pattern=_COMMAND_ID),
        "undoestime": _time("When that command was sent first"),
    }
    properties = {
        "specversion": _SPECVERSION,
        "id": _text("The command's id, equal in every attempt: the key of your inbox.", pattern=_COMMAND_ID),
        "type": {"const": kind, "description": f"What {participant} is asked to do."},
        "source": {"const": "/orchestrator"},
        "subject": _SAGA_ID,
        "time": _time("When it was sent"),
        "attempt": _text("1, 2, …; never part of a key.", pattern=_NUMBER),
        "firsttime": _time("When this id was sent first"),
        "expirytime": _time("The step's deadline; nothing is dropped for it"),
        "replyto": _text("The stream for the reply.", pattern=f"^{re.escape(replies)}(\\.[0-9]+)?$"),
        "traceparent": _TRACEPARENT,
        **({} if kinds == {Kind.ACTION} else undoes),
    }
    # A type that some step does and another one undoes comes with these fields or without.
    optional = () if Kind.ACTION not in kinds else tuple(undoes)
    return _headers(properties, "traceparent", *optional, closed=True)


def reply(kind: str, participant: str, outcome: Outcome) -> Json:
    """Of an answer; only `causationid`, `outcome` and `data` are needed, and `attempt` where it is `failed`."""
    properties = {
        "causationid": _text("The id of the command that it answers."),
        "outcome": {"const": outcome.value, "description": _MEANS[outcome]},
        "attempt": _text("Copied from the command.", pattern=_NUMBER),
        "specversion": _SPECVERSION,
        "id": _text("`{command id}/reply/{attempt}`."),
        "type": {"const": f"{kind}.{outcome.value}", "description": "Nothing is decided by it."},
        "source": _text(f"`/participants/{participant}`."),
        "subject": _SAGA_ID,
        "time": _time("When it was sent"),
        "traceparent": _TRACEPARENT,
    }
    needed = {"causationid", "outcome", *(["attempt"] if outcome is Outcome.FAILED else [])}
    return _headers(properties, *(name for name in properties if name not in needed))


_MEANS = {
    Outcome.SUCCEEDED: "It is done, now or by an earlier delivery.",
    Outcome.REJECTED: "The business says no: final, never sent again.",
    Outcome.FAILED: "A technical error: nothing has changed, and the next attempt is sent.",
}


def event(kind: str) -> Json:
    """Of an event of this type."""
    properties = {
        "specversion": _SPECVERSION,
        "id": _text("`{saga id}/{revision}/{n}`.", pattern="^[A-Za-z0-9_-]{1,64}/[1-9][0-9]*/[0-9]+$"),
        "type": {"const": kind},
        "source": {"const": "/orchestrator"},
        "subject": _SAGA_ID,
        "time": _time("When it happened"),
    }
    return _headers(properties, closed=True)


def published(kind: str) -> Json:
    """Of another service's event of this type."""
    properties = {
        "type": {"const": kind},
        "timestamp": {"type": "string", "description": "When it happened; never read."},
        "traceparent": _TRACEPARENT,
    }
    return _headers(properties, "timestamp", "traceparent")


def dead_letter() -> Json:
    """Of a message that could not be handled; its own fields are there too, whatever they were."""
    properties = {
        "deadstream": _text("The stream on which it was."),
        "deadid": _text("Its entry's id there."),
        "deadreason": {"type": "string", "description": "Why it could not be handled."},
        "deadtime": _time("When it was given up"),
    }
    return _headers(properties)
