"""Whether values of one annotation fit another, when they travel between models as JSON.

Compares types, never constraints: `Field(ge=1)` is checked when a saga runs. A doubt (`Any`, a type variable) is
answered with yes, because validation at run time has the last word.
"""

import operator
import types
from collections import abc
from datetime import datetime
from enum import Enum
from functools import reduce
from typing import Annotated, Any, Literal, NewType, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel

_LISTS = (list, tuple, set, frozenset, abc.Sequence, abc.MutableSequence, abc.Set, abc.MutableSet, abc.Iterable)
_MAPS = (dict, abc.Mapping, abc.MutableMapping)
_NONE = type(None)

Seen = frozenset[tuple[Any, Any]]


def fits(source: Any, target: Any, seen: Seen = frozenset()) -> bool:
    """Whether every value of `source` is, as JSON, a value of `target`."""
    source, target = bare(source), bare(target)
    if source == target or Any in (source, target) or object is target or (source, target) in seen:
        return True
    if isinstance(source, TypeVar) or isinstance(target, TypeVar):
        return True
    if len(members(source)) > 1:
        return all(fits(member, target, seen) for member in members(source))
    if get_origin(source) is Literal:
        return all(_literal_fits(value, target, seen) for value in get_args(source))
    if len(members(target)) > 1:
        return any(fits(source, member, seen) for member in members(target))
    return _one_fits(source, target, seen)


def bare(annotation: Any) -> Any:
    """The annotation without `Annotated`, `NewType` and type aliases."""
    while True:
        if get_origin(annotation) is Annotated:
            annotation = get_args(annotation)[0]
        elif isinstance(annotation, NewType):
            annotation = annotation.__supertype__
        elif type(annotation).__name__ == "TypeAliasType":  # of typing from Python 3.12 on, of typing_extensions before
            annotation = annotation.__value__
        elif annotation is None:
            return _NONE
        else:
            return annotation


def members(annotation: Any) -> tuple[Any, ...]:
    """The members of a union; any other annotation alone."""
    annotation = bare(annotation)
    if get_origin(annotation) not in (Union, types.UnionType):
        return (annotation,)
    return tuple(inner for member in get_args(annotation) for inner in members(member))


def without_none(annotation: Any) -> Any:
    """`int` for `int | None`."""
    rest = tuple(member for member in members(annotation) if member is not _NONE)
    return reduce(operator.or_, rest) if rest else annotation


def shown(annotation: Any) -> str:
    """The annotation as an author writes it: `list[OrderItem] | None`."""
    if len(parts := members(annotation)) > 1:
        return " | ".join(map(shown, parts))
    annotation = bare(annotation)
    if get_origin(annotation) is Literal:
        return f"Literal[{', '.join(map(repr, get_args(annotation)))}]"
    if inner := get_args(annotation):
        name = getattr(get_origin(annotation), "__name__", str(annotation))
        return f"{name}[{', '.join('...' if part is ... else shown(part) for part in inner)}]"
    return "None" if annotation is _NONE else getattr(annotation, "__name__", str(annotation))


def _one_fits(source: Any, target: Any, seen: Seen) -> bool:
    source_kind, target_kind = get_origin(source) or source, get_origin(target) or target
    if source_kind in _LISTS and target_kind in _LISTS:
        return _lists_fit(source, target, seen)
    if source_kind in _MAPS and target_kind in _MAPS:
        keys_and_values = zip(_items(source, 2), _items(target, 2), strict=True)
        return all(fits(one, other, seen) for one, other in keys_and_values)
    if not (isinstance(source_kind, type) and isinstance(target_kind, type)):
        return False
    if issubclass(source_kind, BaseModel) and issubclass(target_kind, BaseModel):
        return _models_fit(source_kind, target_kind, seen | {(source, target)})
    if issubclass(source_kind, Enum) and not issubclass(target_kind, Enum):
        return all(fits(type(member.value), target, seen) for member in source_kind)
    if source_kind in (bool, datetime):  # Subclasses of int and date in Python; as JSON they are something else.
        return False
    return issubclass(source_kind, target_kind) or (target_kind is float and issubclass(source_kind, int))


def _literal_fits(value: Any, target: Any, seen: Seen) -> bool:
    for member in members(target):
        if get_origin(member) is Literal:
            if value in get_args(member):
                return True
        elif fits(type(value), member, seen):
            return True
    return False


def _lists_fit(source: Any, target: Any, seen: Seen) -> bool:
    source_items, target_items = _list_items(source), _list_items(target)
    if target_items[-1:] == (...,):
        wanted = target_items[0]
        return all(fits(item, wanted, seen) for item in source_items if item is not ...)
    if source_items[-1:] == (...,) or len(source_items) != len(target_items):
        return False
    return all(fits(one, other, seen) for one, other in zip(source_items, target_items, strict=True))


def _list_items(annotation: Any) -> tuple[Any, ...]:
    """The items as in a tuple: `(int, ...)` for `list[int]`, `(int, str)` for `tuple[int, str]`."""
    if get_origin(annotation) is tuple:
        return get_args(annotation)
    return (*_items(annotation, 1), ...)


def _items(annotation: Any, count: int) -> tuple[Any, ...]:
    return get_args(annotation) or (Any,) * count


def _models_fit(source: type[BaseModel], target: type[BaseModel], seen: Seen) -> bool:
    for name, wanted in target.model_fields.items():
        if name not in source.model_fields:
            if wanted.is_required():
                return False
        elif not fits(source.model_fields[name].annotation, wanted.annotation, seen):
            return False
    return target.model_config.get("extra") != "forbid" or source.model_fields.keys() <= target.model_fields.keys()
