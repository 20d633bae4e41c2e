"""What a saga's data is known to hold before each step: which fields are filled, with what type, and by whom.

The same knowledge serves the checks and the lineage in the export. Functions are opaque: after a `merge=` function
every field may be filled.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from sagas.fields import without_none
from sagas.nodes import StepNode

INPUT = "input"
DEFAULT = "default"


@dataclass(frozen=True)
class Filled:
    """What one data field holds at some point of the saga."""

    type: Any  #: an annotation
    by: str  #: `input`, `default`, or the step whose reply filled it


Known = Mapping[str, Filled]


def known_before_each(
    input_model: type[BaseModel], data_model: type[BaseModel], steps: Sequence[StepNode[Any]]
) -> list[Known]:
    """The filled fields before each step, and after the last one at the end of the list."""
    known = _at_start(input_model, data_model)
    found = [known]
    for step in steps:
        known = {**known, **_filled_by(step, data_model, known)}
        found.append(known)
    return found


def merged_fields(step: StepNode[Any], data_model: type[BaseModel]) -> Mapping[str, FieldInfo]:
    """The reply's fields that are merged by name."""
    if step.merge is not None:
        return {}
    return {name: field for name, field in step.endpoint.reply.model_fields.items() if name in data_model.model_fields}


def _at_start(input_model: type[BaseModel], data_model: type[BaseModel]) -> Known:
    known: dict[str, Filled] = {}
    for name, field in data_model.model_fields.items():
        if name in input_model.model_fields:
            known[name] = Filled(input_model.model_fields[name].annotation, INPUT)
        elif field.default_factory is not None or not (field.is_required() or field.default is None):
            known[name] = Filled(without_none(field.annotation), DEFAULT)
    return known


def _filled_by(step: StepNode[Any], data_model: type[BaseModel], known: Known) -> Known:
    if step.merge is None:
        fields = merged_fields(step, data_model)
        return {name: Filled(field.annotation, step.name) for name, field in fields.items()}
    return {
        name: Filled(without_none(field.annotation), step.name)
        for name, field in data_model.model_fields.items()
        if name not in known
    }
