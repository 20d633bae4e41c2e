"""JSON schemas of models, and the fingerprint of a saga made from them.

The fingerprint must never depend on texts (titles, descriptions), timings or functions: rewording a docstring must not
strand sagas in flight.
"""

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel

from sagas.contracts import AnyEndpoint
from sagas.steps import Step

_TEXTS = {"title", "description", "examples", "deprecated"}
_NAMED = {"properties", "$defs"}  #: their keys are names, which may be spelt like a text's


def schema(model: type[BaseModel]) -> dict[str, Any]:
    """The JSON schema of what the model accepts."""
    return model.model_json_schema(by_alias=True, mode="validation")


def fingerprint(
    name: str, input_model: type[BaseModel], data_model: type[BaseModel], steps: Sequence[Step], pivot: int
) -> str:
    """16 hex digits over names, order, message types, pivot and schemas."""
    shapes = [
        {"name": step.name, "action": _shape(step.endpoint), "undo": _shape(step.undo.endpoint) if step.undo else None}
        for step in steps
    ]
    shape = {
        "name": name,
        "input": _without_texts(schema(input_model)),
        "data": _without_texts(schema(data_model)),
        "steps": shapes,
        "pivot": pivot,
    }
    return hashlib.sha256(json.dumps(shape, sort_keys=True).encode()).hexdigest()[:16]


def same_messages(one: AnyEndpoint, other: AnyEndpoint) -> bool:
    """Whether two endpoints of one message type mean the same messages."""
    return (one.command is other.command and one.reply is other.reply) or _shape(one) == _shape(other)


def _shape(endpoint: AnyEndpoint) -> dict[str, Any]:
    return {
        "type": endpoint.type,
        "command": _without_texts(schema(endpoint.command)),
        "reply": _without_texts(schema(endpoint.reply)),
    }


def _without_texts(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_texts(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        key: {name: _without_texts(inner) for name, inner in item.items()} if key in _NAMED else _without_texts(item)
        for key, item in value.items()
        if key not in _TEXTS
    }
