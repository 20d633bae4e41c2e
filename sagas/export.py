"""A definition for programs (JSON) and for people (Mermaid). Both show names and types only, never a function's code.

The JSON's shape is stable: fields may be added, none is renamed or removed.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sagas.contracts import AnyEndpoint
from sagas.flow import Known, known_before_each, merged_fields
from sagas.nodes import UndoNode
from sagas.retry import Retry
from sagas.schemas import schema

if TYPE_CHECKING:
    from sagas.definition import Saga

JsonObject = dict[str, Any]


def to_json(saga: "Saga") -> JsonObject:
    """The definition as JSON.

    `name`, `version`, `fingerprint`, `timeout_s`; `pivot` (the name of the last step before the point of no return, or
    null); `starts_on` (`type`, `stream`, `start`, or null); `input`, `data` (JSON schemas); `steps`, each with `name`,
    `kind` (`compensatable`, `pivot`, `retriable`), `action`, `undo` (or null) and `merges`.

    An action or undo has `participant`, `type`, `command`, `reply` (JSON schemas), `timeout_s`, `retry`, and `fills`:
    command field → `input`, `default` or the step whose reply fills it; null where a function makes the command.
    `merges` lists the data fields that the reply fills; null where a function says it.
    """
    return {
        "name": saga.name,
        "version": saga.version,
        "fingerprint": saga.fingerprint,
        "timeout_s": saga.timeout_s,
        "pivot": saga.steps[saga.pivot].name if saga.pivot >= 0 else None,
        "starts_on": None if saga.starts_on is None else saga.starts_on.to_json(),
        "input": schema(saga.input),
        "data": schema(saga.data),
        "steps": _steps(saga),
    }


def _steps(saga: "Saga") -> list[JsonObject]:
    known = known_before_each(saga.input, saga.data, saga.nodes)
    found = []
    for position, (step, node) in enumerate(zip(saga.steps, saga.nodes, strict=True)):
        undo = None
        if step.undo is not None and isinstance(node.undo, UndoNode):
            fills = _fills(step.undo.endpoint, known[position]) if node.undo.command is None else None
            undo = _command(step.undo.endpoint, step.undo.timeout_s, step.undo.retry, fills)
        fills = _fills(step.endpoint, known[position]) if node.command is None else None
        found.append(
            {
                "name": step.name,
                "kind": kind(saga, position),
                "action": _command(step.endpoint, step.timeout_s, step.retry, fills),
                "undo": undo,
                "merges": list(merged_fields(node, saga.data)) if node.merge is None else None,
            }
        )
    return found


def kind(saga: "Saga", position: int) -> str:
    """`compensatable`, `pivot` or `retriable`, as the literature calls the steps before, at and after the pivot."""
    if position == saga.pivot:
        return "pivot"
    return "compensatable" if position < saga.pivot else "retriable"


def _fills(endpoint: AnyEndpoint, known: Known) -> Mapping[str, str]:
    return {name: known[name].by if name in known else "default" for name in endpoint.command.model_fields}


def _command(endpoint: AnyEndpoint, timeout_s: float, retry: Retry, fills: Mapping[str, str] | None) -> JsonObject:
    return {
        "participant": endpoint.participant,
        "type": endpoint.type,
        "command": schema(endpoint.command),
        "reply": schema(endpoint.reply),
        "timeout_s": timeout_s,
        "retry": {
            "attempts": retry.attempts,
            "first_s": retry.first_s,
            "factor": retry.factor,
            "max_s": retry.max_s,
        },
        "fills": fills,
    }


def mermaid(saga: "Saga") -> str:
    """A flowchart: the actions in order, the pivot, and (dotted) the way back through the compensations."""
    lines = ["flowchart LR", f"    start([{_begins(saga)}])"]
    before = "start"
    if saga.pivot < 0:
        lines.append(f"    {before} --> pivot{{{{pivot}}}}")
        before = "pivot"
    for position, step in enumerate(saga.steps):
        lines.append(f'    {before} --> s{position}["{step.name}<br/>{step.endpoint.participant}"]')
        before = f"s{position}"
        if position == saga.pivot and position < len(saga.steps) - 1:
            lines.append(f"    {before} --> pivot{{{{pivot}}}}")
            before = "pivot"
    lines.append(f"    {before} --> completed([completed])")
    return "\n".join([*lines, *_way_back(saga)]) + "\n"


def _begins(saga: "Saga") -> str:
    event = saga.starts_on
    return "start" if event is None else f'"{_text(event.type)}<br/>{_text(event.stream)}"'


def _text(name: str) -> str:
    """In Mermaid `#` begins an entity."""
    return name.replace("#", "#35;")


def _way_back(saga: "Saga") -> list[str]:
    undone = [position for position in range(saga.pivot + 1) if saga.steps[position].undo is not None]
    lines = []
    after = "compensated([compensated])"
    for position in undone:
        undo = saga.steps[position].undo
        assert undo is not None  # by the choice of `undone`
        lines.append(f'    u{position}["{undo.endpoint.name}<br/>{undo.endpoint.participant}"] -.-> {after}')
        lines.append(f"    s{position} -. unknown .-> u{position}")
        after = f"u{position}"
    for position in range(saga.pivot + 1):
        earlier = [one for one in undone if one < position]
        target = f"u{earlier[-1]}" if earlier else "compensated([compensated])"
        lines.append(f"    s{position} -. rejected .-> {target}")
    return lines
