"""Whom to examine and with what: from options, or from a saga's definition."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from random import Random
from typing import Any

from adapters.streams.names import Streams
from chaos.conformance.compose import Subject
from chaos.samples import NoExample, example
from cli.arguments import duration_s, json_object
from cli.failure import Exit, Failure
from cli.lookup import find
from sagas import Saga
from sagas.contracts import AnyEndpoint
from sagas.steps import Step

COMMANDS = "commands."  #: what stands between the prefix and the participant in a stream's name
PREFIX_VARIABLE, DEFAULT_PREFIX = "SAGA_STREAM_PREFIX", "saga."
NEVER = "never"
OWN_STEP = "conformance"
SHORTEST_EXPIRY = timedelta(days=2)  #: a day of it is margin


@dataclass(frozen=True, slots=True)
class Given:
    """What was said of the participant itself."""

    stream: str | None
    group: str | None
    action: str | None
    data: str | None
    rejected_data: str | None
    compensation: str | None
    compensation_data: str | None


@dataclass(frozen=True, slots=True)
class OfStep:
    """The step of a saga from which the rest is taken."""

    saga: str | None
    step: str | None

    def find(self) -> Step | None:
        """The step, if a saga is named. Raises `Failure`."""
        if self.saga is None:
            return None
        saga = find(self.saga, Saga)
        found = next((step for step in saga.steps if step.name == self.step), None)
        if found is None:
            names = ", ".join(step.name for step in saga.steps)
            raise Failure(f"Name a step of {saga.name} with --step: {names}.", Exit.USAGE)
        return found


@dataclass(frozen=True, slots=True)
class Target:
    """The participant's stream and group, and what it is sent."""

    stream: str
    group: str
    prefix: str  #: of all streams of that installation
    subject: Subject


def target_of(given: Given, of_step: OfStep, inbox_expiry: str, *, destructive: bool) -> Target:
    """Whom to examine. Raises `Failure`."""
    step = of_step.find()
    endpoint = None if step is None else step.endpoint
    undo = None if step is None or step.undo is None else step.undo.endpoint
    action = given.action or _type(endpoint) or ""
    participant, dot, _ = action.rpartition(".")
    if not participant or not dot:
        raise Failure(
            "Say what the participant can be sent: --action inventory.reserve-stock --data '{…}', or --saga "
            "module:attribute --step NAME.",
            Exit.USAGE,
        )
    subject = Subject(
        participant=participant,
        step=of_step.step or OWN_STEP,
        action=action,
        data=_data(given.data, "--data", endpoint),
        rejected_data=None if given.rejected_data is None else json_object(given.rejected_data, "--rejected-data"),
        compensation=given.compensation or _type(undo),
        compensation_data=_data(given.compensation_data, "--compensation-data", undo),
        inbox_expiry=_expiry(inbox_expiry),
        destructive=destructive,
    )
    return _placed(given, subject)


def _placed(given: Given, subject: Subject) -> Target:
    prefix = os.environ.get(PREFIX_VARIABLE, DEFAULT_PREFIX)
    stream = given.stream or f"{prefix}{COMMANDS}{subject.participant}"
    before, found, _ = stream.partition(COMMANDS)
    group = given.group or Streams(before).own_group(stream) or subject.participant
    return Target(stream, group, before if found else prefix, subject)


def _type(endpoint: AnyEndpoint | None) -> str | None:
    return None if endpoint is None else endpoint.type


def _data(given: str | None, option: str, endpoint: AnyEndpoint | None) -> Mapping[str, Any]:
    if given is not None:
        return json_object(given, option)
    if endpoint is None:
        return {}
    try:
        return example(endpoint.command, Random(0))
    except NoExample as error:
        raise Failure(f"{error} Give it with {option}.", Exit.USAGE) from error


def _expiry(text: str) -> timedelta | None:
    expiry = None if text == NEVER else timedelta(seconds=duration_s(text, "--inbox-expiry"))
    if expiry is not None and expiry <= SHORTEST_EXPIRY:
        raise Failure(f"--inbox-expiry must be longer than two days, or {NEVER!r}.", Exit.USAGE)
    return expiry
