"""What the service answers with, typed: definitions, dead letters, readiness."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from client.models import Json, Shown


class DefinitionSummary(Shown):
    """One version of a definition."""

    name: str
    version: int
    fingerprint: str
    steps: tuple[str, ...]
    pivot: str | None


class StepDefinition(Shown):
    """One step of a definition; `action` and `undo` say what is sent to whom."""

    name: str
    kind: str  #: `compensatable`, `pivot` or `retriable`
    action: Json
    undo: Json | None
    merges: tuple[str, ...] | None


class Definition(Shown):
    """A definition in one version."""

    name: str
    version: int
    versions: tuple[int, ...]
    fingerprint: str
    timeout_s: float | None
    pivot: str | None  #: the last step before the point of no return
    starts_on: Json | None = None  #: the event that starts one: `type`, `stream`, `start`
    input: Json  #: a JSON schema
    data: Json  #: a JSON schema
    steps: tuple[StepDefinition, ...]
    mermaid: str  #: the steps and the way back, as a Mermaid flowchart


class DeadLetter(Shown):
    """A message that could not be handled."""

    id: str
    stream: str
    entry_id: str
    at: datetime
    reason: str
    saga_id: str | None
    type: str | None
    truncated: bool  #: it was not kept whole, so it can't be redriven
    redrives: int
    redriven_at: datetime | None
    redriven_by: str | None
    fields: Mapping[str, Any] | None = None  #: what was in it; only where one letter was asked for


class Readiness(Shown):
    """Whether the service and everything it needs works."""

    ready: bool
    checks: Mapping[str, str] = {}  #: each check, and `ok` or what is wrong
