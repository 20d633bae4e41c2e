"""What the OpenAPI document says of definitions."""

from typing import Any, Literal

from pydantic import Field

from orchestrator.api.describing import Route, Shown, links, problem, problems, shows
from orchestrator.api.problems import Kind

JsonSchema = dict[str, Any]


class RetryShown(Shown):
    """How often, and how soon, a command is sent again after a failure."""

    attempts: int
    first_s: float
    factor: float
    max_s: float


class CommandShown(Shown):
    """What a step sends, or what undoes it."""

    participant: str
    type: str
    command: JsonSchema
    reply: JsonSchema
    timeout_s: float
    retry: RetryShown
    fills: dict[str, str] | None = Field(
        description="Command field → `input`, `default`, or the step whose reply fills it; null: a function does."
    )


class StepShown(Shown):
    """One step of a definition."""

    name: str
    kind: Literal["compensatable", "pivot", "retriable"]
    action: CommandShown
    undo: CommandShown | None
    merges: list[str] | None = Field(description="The data fields that the reply fills; null: a function says it.")


class EventShown(Shown):
    """The event of another service that starts the saga."""

    type: str
    stream: str
    start: Literal["$", "beginning"] = Field(description="Where reading the stream began the first time.")


class Definition(Shown):
    """A definition."""

    name: str
    version: int
    versions: list[int] = Field(description="Every version that is known.")
    fingerprint: str
    timeout_s: float | None
    pivot: str | None = Field(description="The last step before the point of no return.")
    starts_on: EventShown | None = Field(description="The event that starts one; null: none does.")
    input: JsonSchema
    data: JsonSchema
    steps: list[StepShown]
    mermaid: str = Field(description="The steps and the way back as a Mermaid flowchart.")


class DefinitionSummary(Shown):
    """One version of a definition."""

    name: str
    version: int
    fingerprint: str
    steps: list[str]
    pivot: str | None


class DefinitionList(Shown):
    """Every definition."""

    items: list[DefinitionSummary]


LIST: Route = {
    "operation_id": "listDefinitions",
    "summary": "List the definitions",
    "responses": {
        200: shows(DefinitionList, "Every version of every definition.")
        | links("name", "$response.body#/items/0/name", "getDefinition"),
        **problems(Kind.OVERLOADED, Kind.INTERNAL_ERROR),
    },
}
GET: Route = {
    "operation_id": "getDefinition",
    "summary": "Look at a definition",
    "responses": {
        200: shows(Definition, "The definition."),
        **problems(Kind.DEFINITION_NOT_FOUND, Kind.OVERLOADED, Kind.INTERNAL_ERROR),
        422: problem([Kind.INVALID_REQUEST]),
    },
}
