"""What the OpenAPI document says of a saga's history."""

from datetime import datetime
from typing import Any

from pydantic import Field

from orchestrator.api.describing import SAFE, Route, Shown, problem, problems, shows
from orchestrator.api.problems import Kind
from orchestrator.core.state import Status, StepStatus
from sagas.messages import Kind as CommandKind


class Transition(Shown):
    """One change of a saga."""

    revision: int
    at: datetime
    events: list[str] = Field(description="What happened, such as `step-succeeded`.")
    status: Status = Field(description="The saga's, after it.")
    step: str | None
    step_status: StepStatus | None = Field(description="The step's, after it.")
    kind: CommandKind | None
    attempt: int | None
    code: str | None
    detail: str | None
    data: dict[str, Any] | None = Field(description="The fields of the saga's data that changed.")
    count: int = Field(description="How many equal retries, up to this revision, this stands for.")


class StepThen(Shown):
    """A step as it was."""

    name: str
    status: StepStatus


class Then(Shown):
    """A saga as it was at an earlier revision."""

    revision: int
    at: datetime
    status: Status
    steps: list[StepThen]
    data: dict[str, Any] = Field(description="Without fields whose value of then is not known any more.")


class History(Shown):
    """How a saga came to this."""

    items: list[Transition]
    truncated_before: int | None = Field(
        description="The first revision that is still known; null where that is the first one."
    )
    then: Then | None = Field(None, description="The saga at the revision that was asked for.")


HISTORY: Route = {
    "operation_id": "getHistory",
    "summary": "Look at a saga's transitions",
    "responses": {
        200: shows(History, "The transitions, oldest first."),
        **problems(Kind.SAGA_NOT_FOUND, Kind.REVISION_NOT_FOUND, Kind.OVERLOADED, *SAFE),
        422: problem([Kind.INVALID_REQUEST]),
    },
}
