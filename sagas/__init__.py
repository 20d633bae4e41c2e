"""The saga language: what a definition, and the contracts it shares with participants, are written with."""

from sagas.contracts import Command, Endpoint, Reject, Reply, SagaData, SagaInput, Value
from sagas.definition import Saga, Step, Undo
from sagas.definitions import Definitions, UnknownSaga
from sagas.errors import CannotBuild, CannotMerge, InvalidDefinition, StepFault
from sagas.nodes import Node, pivot, step, undo
from sagas.retry import Retry
from sagas.starting_event import CannotStart, Event, EventData
from sagas.storable import NotStorable, check_storable

__all__ = [
    "CannotBuild",
    "CannotMerge",
    "CannotStart",
    "Command",
    "Definitions",
    "Endpoint",
    "Event",
    "EventData",
    "InvalidDefinition",
    "Node",
    "NotStorable",
    "Reject",
    "Reply",
    "Retry",
    "Saga",
    "SagaData",
    "SagaInput",
    "Step",
    "StepFault",
    "Undo",
    "UnknownSaga",
    "Value",
    "check_storable",
    "pivot",
    "step",
    "undo",
]
