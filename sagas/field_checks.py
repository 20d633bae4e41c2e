"""The checks of fields: every command can be filled when it is due, and every reply and input has its place.

A function given by the author is opaque: what it makes is checked when it runs.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from sagas.contracts import Command
from sagas.fields import fits, shown
from sagas.flow import Filled, Known, known_before_each, merged_fields
from sagas.nodes import StepNode, UndoNode


def field_problems(
    name: str,
    input_model: type[BaseModel],
    data_model: type[BaseModel],
    steps: Sequence[StepNode[Any]],
    pivot: int,
) -> Iterator[str]:
    """Every problem with the fields of input, data, commands and replies."""
    yield from _input_problems(name, input_model, data_model)
    known = known_before_each(input_model, data_model, steps)
    for position, step in enumerate(steps):
        where = f"{name}/{step.name}"
        fillers = {field: one.name for one in reversed(steps) for field in merged_fields(one, data_model)}
        sources = _Sources(where, data_model, known[position], fillers)
        if step.command is None:
            yield from _command_problems(sources, step.endpoint.command)
        if isinstance(step.undo, UndoNode) and step.undo.command is None:
            sources = _Sources(f"{where} undo", data_model, known[position], fillers)
            yield from _command_problems(sources, step.undo.endpoint.command)
            yield from _overwritten_problems(sources, step.undo.endpoint.command, steps[position:pivot])
        yield from _reply_problems(where, step, data_model)


@dataclass(frozen=True)
class _Sources:
    """What a command can be filled from."""

    where: str
    data: type[BaseModel]
    known: Known
    fillers: Mapping[str, str]  #: data field → the first step whose reply fills it


def _input_problems(name: str, input_model: type[BaseModel], data_model: type[BaseModel]) -> Iterator[str]:
    sent, kept = input_model.model_fields, data_model.model_fields
    for field, info in sent.items():
        if field not in kept:
            yield f"{name}: {input_model.__name__}.{field} has no place: {data_model.__name__} needs a field {field!r}"
        elif not fits(info.annotation, kept[field].annotation):
            wanted = shown(kept[field].annotation)
            mine = f"{input_model.__name__}.{field} is {shown(info.annotation)}"
            yield f"{name}: {mine}, but {data_model.__name__}.{field} wants {wanted}"
    for field, info in kept.items():
        if field not in sent and info.is_required():
            yield f"{name}: {data_model.__name__}.{field} is not in {input_model.__name__}: it needs a default (None)"
        if info.exclude:
            yield f"{name}: {data_model.__name__}.{field} is excluded from JSON, so it would be lost"


def _command_problems(sources: _Sources, command: type[Command]) -> Iterator[str]:
    for field, info in command.model_fields.items():
        target = f"{sources.where}: {command.__name__}.{field}"
        if field not in sources.data.model_fields:
            if info.is_required():
                yield f"{target} is required, but {sources.data.__name__} has no field {field!r}"
        elif not fits(_type_of(sources.known.get(field)), info.annotation):
            yield f"{target} {_reason(sources, field, info.annotation)}"


def _type_of(filled: Filled | None) -> Any:
    return None if filled is None else filled.type


def _reason(sources: _Sources, field: str, wanted: Any) -> str:
    source = f"{sources.data.__name__}.{field}"
    filled = sources.known.get(field)
    if filled is not None:
        return f"wants {shown(wanted)}, but {source} is {shown(filled.type)} (from {filled.by})"
    filler = sources.fillers.get(field)
    if filler is None:
        return f"wants {shown(wanted)}, but {source} is filled by no reply"
    if sources.where.endswith(f"/{filler} undo"):
        own = "comes from this step's own reply, which is missing when its outcome is unknown"
        return f"wants {shown(wanted)}, but {source} {own}"
    return f"wants {shown(wanted)}, but {source} is filled only later, by {filler}"


def _overwritten_problems(sources: _Sources, command: type[Command], later: Sequence[StepNode[Any]]) -> Iterator[str]:
    """A compensation is made after later replies have been merged: what they wrote must fit too."""
    for step in later:
        for field, info in merged_fields(step, sources.data).items():
            target = command.model_fields.get(field)
            if target is not None and not fits(info.annotation, target.annotation):
                yield (
                    f"{sources.where}: {command.__name__}.{field} wants {shown(target.annotation)}, "
                    f"but {step.name} may overwrite {sources.data.__name__}.{field} with {shown(info.annotation)}"
                )


def _reply_problems(where: str, step: StepNode[Any], data_model: type[BaseModel]) -> Iterator[str]:
    for field, info in merged_fields(step, data_model).items():
        wanted = data_model.model_fields[field].annotation
        if not fits(info.annotation, wanted):
            mine = f"{step.endpoint.reply.__name__}.{field} is {shown(info.annotation)}"
            yield f"{where}: {mine}, but {data_model.__name__}.{field} wants {shown(wanted)}"
