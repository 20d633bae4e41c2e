"""What the OpenAPI document says of dead letters."""

from datetime import datetime
from typing import Any

from pydantic import Field

from orchestrator.api.describing import SAFE, Route, Shown, problem, problems, shows
from orchestrator.api.problems import Kind


class DeadLetter(Shown):
    """A message that could not be handled."""

    id: str
    stream: str
    entry_id: str
    at: datetime
    reason: str = Field(description="Why it could not be handled.")
    saga_id: str | None
    type: str | None
    truncated: bool = Field(description="It was not kept whole, so it can't be redriven.")
    redrives: int = Field(description="How often it was put on its stream again.")
    redriven_at: datetime | None
    redriven_by: str | None = Field(description="The name of the API key; empty where there are none.")


class WholeDeadLetter(DeadLetter):
    """A message that could not be handled, with what was in it."""

    fields: dict[str, str]


class DeadLetterPage(Shown):
    """A page of dead letters."""

    items: list[DeadLetter]
    next: str | None = Field(description="The cursor of the next page; null on the last one.")


_BY_ID = (Kind.DEAD_LETTER_NOT_FOUND, Kind.OVERLOADED, *SAFE)
_INVALID: dict[int | str, dict[str, Any]] = {422: problem([Kind.INVALID_REQUEST])}

LIST: Route = {
    "operation_id": "listDeadLetters",
    "summary": "List the messages that could not be handled",
    "responses": {
        200: shows(DeadLetterPage, "Newest first."),
        **problems(Kind.INVALID_REQUEST, Kind.OVERLOADED, *SAFE),
    },
}
GET: Route = {
    "operation_id": "getDeadLetter",
    "summary": "Look at a message that could not be handled",
    "responses": {200: shows(WholeDeadLetter, "The message."), **problems(*_BY_ID), **_INVALID},
}
REDRIVE: Route = {
    "operation_id": "redriveDeadLetter",
    "summary": "Put a message on its stream again",
    "status_code": 202,
    "responses": {
        202: shows(DeadLetter, "It is on its stream."),
        **problems(*_BY_ID, Kind.REFUSED, Kind.INVALID_REQUEST),
    },
}
DELETE: Route = {
    "operation_id": "deleteDeadLetter",
    "summary": "Remove a message that could not be handled",
    "status_code": 204,
    "responses": {204: {"description": "It is gone."}, **problems(*_BY_ID), **_INVALID},
}
