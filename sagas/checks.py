"""The checks of a definition when it is built: everything that can be known without running it.

All problems are collected before the author is told. A message names saga, step and field, and says what is wanted.
What an author without a type checker may pass is an `object` here.
"""

import inspect
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from pydantic import BaseModel, RootModel
from pydantic.errors import PydanticUserError

from sagas.contracts import AnyEndpoint, Endpoint, check_name
from sagas.durations import Duration, seconds
from sagas.errors import InvalidDefinition
from sagas.field_checks import field_problems
from sagas.nodes import Node, Omitted, PivotNode, StepNode, UndoNode
from sagas.retry import Retry
from sagas.schemas import same_messages, schema
from sagas.starting_event import Event

MAX_STEPS = 100
MAX_STEP_TIMEOUT_S = 7 * 86_400.0
MAX_SAGA_TIMEOUT_S = 365 * 86_400.0
MIN_TIMEOUT_S = 0.01


def check(
    name: str,
    version: int,
    input_model: type[BaseModel],
    data_model: type[BaseModel],
    nodes: Sequence[Node[Any]],
    timeout: Duration | None,
    starts_on: object = None,
) -> None:
    """Raise `InvalidDefinition` with every problem found."""
    check_name(name, f"Saga {name!r}")
    problems = [*_saga_problems(name, version, timeout), *_model_problems(name, input_model, data_model)]
    problems += [
        f"{name}: steps= holds {node!r}, which is neither step(...) nor pivot()"
        for node in nodes
        if not isinstance(node, StepNode | PivotNode)
    ]
    steps = [node for node in nodes if isinstance(node, StepNode)]
    problems += _list_problems(name, nodes, steps)
    if not isinstance(starts_on, Event | None):
        problems.append(f"{name}: starts_on={starts_on!r} must be Event(...)")
    for step in steps:
        problems += _step_problems(f"{name}/{step.name}", step)
    problems += _message_problems(name, steps)
    if not problems:  # The fields are worth a look only once models, steps and endpoints are what they should be.
        problems += field_problems(name, input_model, data_model, steps, pivot_index(nodes))
    if problems:
        raise InvalidDefinition(problems)


def pivot_index(nodes: Sequence[Node[Any]]) -> int:
    """The step before the marker, -1 for none; without a marker the last step."""
    for position, node in enumerate(nodes):
        if isinstance(node, PivotNode):
            return position - 1
    return len(nodes) - 1


def _saga_problems(name: str, version: object, timeout: Duration | None) -> Iterator[str]:
    if isinstance(version, bool) or not isinstance(version, int) or not 1 <= version < 2**31:
        yield f"{name}: version={version!r} must be a whole number from 1"
    if timeout is not None:
        yield from _timeout_problems(name, timeout, MAX_SAGA_TIMEOUT_S)


def _model_problems(name: str, input_model: object, data_model: object) -> Iterator[str]:
    for role, model in (("input", input_model), ("data", data_model)):
        if not (isinstance(model, type) and issubclass(model, BaseModel)) or issubclass(model, RootModel):
            yield f"{name}: {role}={model!r} must be a pydantic model with fields"
        elif role == "input" and model.model_config.get("extra") != "forbid":
            yield f"{name}: {model.__name__} must refuse unknown fields: derive it from SagaInput"
        elif role == "data" and model.model_config.get("extra") == "allow":
            yield f"{name}: {model.__name__} must not take in unknown fields: derive it from SagaData"
        else:
            yield from _schema_problems(name, model)


def _list_problems(name: str, nodes: Sequence[Node[Any]], steps: Sequence[StepNode[Any]]) -> Iterator[str]:
    if not 1 <= len(steps) <= MAX_STEPS:
        yield f"{name}: a saga has 1 to {MAX_STEPS} steps, this one has {len(steps)}"
    for step_name, count in Counter(step.name for step in steps).items():
        if count > 1:
            yield f"{name}/{step_name}: {count} steps have this name"
    if sum(isinstance(node, PivotNode) for node in nodes) > 1:
        yield f"{name}: pivot() may occur only once"
    yield from _undo_rules(name, nodes, steps)


def _undo_rules(name: str, nodes: Sequence[Node[Any]], steps: Sequence[StepNode[Any]]) -> Iterator[str]:
    marked = any(isinstance(node, PivotNode) for node in nodes)
    pivot = pivot_index(nodes)
    for position, step in enumerate(steps):
        if position > pivot and isinstance(step.undo, UndoNode):
            yield f"{name}/{step.name}: undo= is of no use after the pivot, where a step is retried until it succeeds"
        elif position <= pivot and step.undo is Omitted.OMITTED and (marked or position < len(steps) - 1):
            yield f"{name}/{step.name}: say how it is undone, undo=undo(...), or undo=None if there is nothing to undo"


def _step_problems(where: str, step: StepNode[Any]) -> Iterator[str]:
    try:
        check_name(step.name, where)
    except InvalidDefinition as error:
        yield from error.problems
    yield from _action_problems(where, step.endpoint, step.timeout, step.retry, step.command)
    yield from _function_problems(where, "merge=", step.merge)
    undo: object = step.undo
    if isinstance(undo, UndoNode):
        yield from _undo_problems(where, step.endpoint, undo)
    elif undo is not None and undo is not Omitted.OMITTED:
        yield f"{where}: undo={undo!r} must be undo(...) or None"


def _undo_problems(where: str, action: object, undo: UndoNode[Any]) -> Iterator[str]:
    yield from _action_problems(f"{where} undo", undo.endpoint, undo.timeout, undo.retry, undo.command)
    if isinstance(action, Endpoint) and isinstance(undo.endpoint, Endpoint):
        yield from _pair_problems(f"{where} undo", action, undo.endpoint)


def _pair_problems(where: str, action: AnyEndpoint, undo: AnyEndpoint) -> Iterator[str]:
    if undo.participant != action.participant:
        yield (
            f"{where}: {undo.type} goes to another participant than {action.type}, "
            f"but only {action.participant!r} knows whether the action took effect"
        )
    elif undo.type == action.type:
        yield f"{where}: {action.type} can't undo itself"


def _action_problems(where: str, endpoint: object, timeout: Duration, retry: object, command: object) -> Iterator[str]:
    if isinstance(endpoint, Endpoint):
        for model in (endpoint.command, endpoint.reply):
            yield from _schema_problems(where, model)
    else:
        yield f"{where}: {endpoint!r} is not an Endpoint"
    yield from _timeout_problems(where, timeout, MAX_STEP_TIMEOUT_S)
    if not isinstance(retry, Retry):
        yield f"{where}: retry={retry!r} must be Retry(...)"
    yield from _function_problems(where, "command", command)


def _function_problems(where: str, role: str, function: object) -> Iterator[str]:
    if function is not None and not callable(function):
        yield f"{where}: {role} {function!r} is not a function"
    elif inspect.iscoroutinefunction(function):
        yield f"{where}: {role} is an async function, but a definition does no I/O"


def _timeout_problems(where: str, timeout: Duration, most_s: float) -> Iterator[str]:
    try:
        if not MIN_TIMEOUT_S <= seconds(timeout) <= most_s:
            yield f"{where}: timeout={timeout!r} must be {MIN_TIMEOUT_S:g} to {most_s:g} seconds"
    except ValueError as error:
        yield f"{where}: timeout={error}"


def _schema_problems(where: str, model: type[BaseModel]) -> Iterator[str]:
    try:
        schema(model)
    except PydanticUserError as error:
        yield f"{where}: {model.__name__} has no JSON schema: {error.message}"


def _message_problems(name: str, steps: Sequence[StepNode[Any]]) -> Iterator[str]:
    first: dict[str, AnyEndpoint] = {}
    for endpoint in endpoints(steps):
        if not same_messages(first.setdefault(endpoint.type, endpoint), endpoint):
            yield f"{name}: two different messages are called {endpoint.type}; give one endpoint another name="


def endpoints(steps: Sequence[StepNode[Any]]) -> Iterator[AnyEndpoint]:
    """Every endpoint that the steps use, actions and compensations."""
    for step in steps:
        yield from (one for one in (step.endpoint, getattr(step.undo, "endpoint", None)) if isinstance(one, Endpoint))
