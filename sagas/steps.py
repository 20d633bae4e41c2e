"""A saga's steps as the engine uses them: making commands and merging replies, per message and therefore fast.

Between models values travel as JSON, so that a saga read from the database and a fresh one behave the same.
Whatever a definition's functions do here, only `CannotBuild` and `CannotMerge` come out.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import to_json

from sagas.contracts import AnyEndpoint, Command
from sagas.durations import seconds
from sagas.errors import CannotBuild, CannotMerge, explain
from sagas.nodes import StepNode, UndoNode
from sagas.retry import Retry
from sagas.sendable import NotSendable, check_sendable
from sagas.storable import NotStorable, check_storable

M = TypeVar("M", bound=BaseModel)

#: What a saga knows, as JSON. MongoDB has it twice, also in the history, and a list of numbers needs five times as much
#: there; a document of more than 16 MiB could not be saved any more, and its saga would never end.
MAX_DATA_BYTES = 1_048_576

_MISSING = object()


def parse(model: type[M], values: Mapping[str, Any]) -> M:
    """A model from JSON values, by field name or alias."""
    return read(model, to_json(dict(values)))


def read(model: type[M], json: bytes) -> M:
    """A model from the text of such values."""
    # What `model_validate_json` and `model_dump` call: their checks of options cost as much as the work itself.
    made: M = model.__pydantic_validator__.validate_json(json, by_name=True, by_alias=True)
    return made


def dump(model: BaseModel, *, by_alias: bool | None = False, only: set[str] | None = None) -> dict[str, Any]:
    """The model as JSON values, by field name; None for `by_alias`: by the names that it is sent with."""
    made: dict[str, Any] = model.__pydantic_serializer__.to_python(model, mode="json", by_alias=by_alias, include=only)
    return made


def check_data(data: Mapping[str, Any]) -> None:
    """Raise `NotStorable` where a saga can't keep such data."""
    check_storable(data)
    _check_size(to_json(data))


def _check_size(data: bytes) -> None:
    if len(data) > MAX_DATA_BYTES:
        raise NotStorable("", f"the saga's data would have more than {MAX_DATA_BYTES:,} bytes")


@dataclass(frozen=True, slots=True)
class CommandBuilder:
    """Makes one kind of command from a saga's data."""

    where: str  #: `order/reserve-stock`, for messages
    data: type[BaseModel]
    command: type[Command]
    function: Callable[[Any], Command] | None

    def __call__(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """The command as JSON; raises `CannotBuild`."""
        try:
            if self.function is None:  # Its parts have been stored already, so they are storable.
                fields = dump(self._filled(data), by_alias=None)
            else:
                fields = dump(self._made(self.function, data), by_alias=None)
                check_storable(fields)
            check_sendable(fields, to_json(fields))
            return fields
        except Exception as error:  # The author's function may raise anything.
            raise CannotBuild(_said(self.where, self.command, error)) from error

    def _filled(self, data: Mapping[str, Any]) -> Command:
        return parse(self.command, {name: data[name] for name in self.command.__pydantic_fields__ if name in data})

    def _made(self, function: Callable[[Any], Command], data: Mapping[str, Any]) -> Command:
        built = function(parse(self.data, data))
        if not isinstance(built, self.command):
            raise TypeError(f"the function gave {type(built).__name__} instead of {self.command.__name__}")
        return built


@dataclass(frozen=True, slots=True)
class ReplyMerger:
    """Says what one kind of reply changes in a saga's data."""

    where: str
    data: type[BaseModel]
    reply: type[BaseModel]
    function: Callable[[Any, Any], Mapping[str, object]] | None

    def __call__(self, data: Mapping[str, Any], reply: Mapping[str, Any]) -> dict[str, Any]:
        """The changed fields as JSON; raises `CannotMerge`."""
        try:
            answer = parse(self.reply, reply)
            updates = self._same_named(answer) if self.function is None else self._merged(self.function, data, answer)
            return self._changes(data, updates) if updates else {}
        except Exception as error:  # The author's function may raise anything.
            raise CannotMerge(_said(self.where, self.reply, error)) from error

    def _changes(self, data: Mapping[str, Any], updates: Mapping[str, Any]) -> dict[str, Any]:
        # All of the data is validated, because its model may have rules across fields.
        whole = to_json({**data, **updates})
        _check_size(whole)
        after = dump(read(self.data, whole))
        changes = {name: value for name, value in after.items() if not _same(data.get(name, _MISSING), value)}
        check_storable(changes)
        return changes

    def _same_named(self, answer: BaseModel) -> Mapping[str, Any]:
        return dump(answer, only=set(self.data.__pydantic_fields__))

    def _merged(
        self, function: Callable[[Any, Any], Mapping[str, object]], data: Mapping[str, Any], answer: BaseModel
    ) -> Mapping[str, Any]:
        updates = function(parse(self.data, data), answer)
        if not isinstance(updates, Mapping):
            raise TypeError(f"merge= gave {type(updates).__name__} instead of the changed fields, {{name: value}}")
        for name in updates:
            if name not in self.data.model_fields:
                raise TypeError(f"merge= gave {name!r}, but {self.data.__name__} has no such field")
        return updates


@dataclass(frozen=True, slots=True)
class Terms:
    """How one kind of command of a step is sent."""

    endpoint: AnyEndpoint
    timeout_s: float  #: for one attempt
    retry: Retry


@dataclass(frozen=True, slots=True)
class Undo(Terms):
    """How a step is undone."""

    builder: CommandBuilder


@dataclass(frozen=True, slots=True)
class Step(Terms):
    """One step: its action, and its compensation if it has one."""

    name: str
    undo: Undo | None
    builder: CommandBuilder
    merger: ReplyMerger

    def build_command(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """The action's command from the saga's data, as JSON; raises `CannotBuild`."""
        return self.builder(data)

    def build_undo(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """The compensation's command from the saga's data, as JSON; raises `CannotBuild`."""
        if self.undo is None:
            raise CannotBuild(f"{self.builder.where}: there is no undo")
        return self.undo.builder(data)

    def merge_reply(self, data: Mapping[str, Any], reply: Mapping[str, Any]) -> dict[str, Any]:
        """What the reply changes in the saga's data: the changed fields only, as JSON; raises `CannotMerge`."""
        return self.merger(data, reply)


def compiled(saga: str, data: type[BaseModel], node: StepNode[Any]) -> Step:
    """The step that a checked node describes."""
    where = f"{saga}/{node.name}"
    return Step(
        name=node.name,
        endpoint=node.endpoint,
        timeout_s=seconds(node.timeout),
        retry=node.retry,
        undo=_compiled_undo(where, data, node.undo) if isinstance(node.undo, UndoNode) else None,
        builder=CommandBuilder(where, data, node.endpoint.command, node.command),
        merger=ReplyMerger(where, data, node.endpoint.reply, node.merge),
    )


def _compiled_undo(where: str, data: type[BaseModel], node: UndoNode[Any]) -> Undo:
    builder = CommandBuilder(f"{where} undo", data, node.endpoint.command, node.command)
    return Undo(node.endpoint, seconds(node.timeout), node.retry, builder)


def _same(old: object, new: object) -> bool:
    # In Python True == 1; in the document they differ.
    return old == new and isinstance(old, bool) is isinstance(new, bool)


def _said(where: str, model: type[BaseModel], error: Exception) -> str:
    """What went wrong, with its place and without the payload."""
    match error:
        case ValidationError():
            return f"{where}: {explain(error)}"
        case NotStorable():
            return f"{where}: {model.__name__}{error}"
        case NotSendable():
            return f"{where}: {model.__name__}: {error}"
        case _:
            return f"{where}: {model.__name__}: {type(error).__name__}: {error}"
