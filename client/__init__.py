"""A typed client of the saga service, async (`SagaClient`) and blocking (`SyncSagaClient`).

It uses the public HTTP API and nothing else; docs/client.md shows it.
"""

from client.calls import Start
from client.client import SagaClient, SyncSagaClient
from client.errors import (
    AccessDenied,
    AnswerLost,
    Conflict,
    EventsMissed,
    FieldError,
    InvalidRequest,
    NotEnded,
    NotFound,
    Problem,
    Refused,
    SagaError,
    Unavailable,
    UnexpectedAnswer,
)
from client.models import (
    Failure,
    History,
    HistoryEntry,
    SagaInstance,
    Status,
    Step,
    StepError,
    StepStatus,
    StepThen,
    Then,
    Transition,
)
from client.models_operating import DeadLetter, Definition, DefinitionSummary, Readiness, StepDefinition
from client.surroundings import Surroundings
from client.wire import Retries

__all__ = [
    "AccessDenied",
    "AnswerLost",
    "Conflict",
    "DeadLetter",
    "Definition",
    "DefinitionSummary",
    "EventsMissed",
    "Failure",
    "FieldError",
    "History",
    "HistoryEntry",
    "InvalidRequest",
    "NotEnded",
    "NotFound",
    "Problem",
    "Readiness",
    "Refused",
    "Retries",
    "SagaClient",
    "SagaError",
    "SagaInstance",
    "Start",
    "Status",
    "Step",
    "StepDefinition",
    "StepError",
    "StepStatus",
    "StepThen",
    "Surroundings",
    "SyncSagaClient",
    "Then",
    "Transition",
    "Unavailable",
    "UnexpectedAnswer",
]
