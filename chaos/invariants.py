"""Invariants of the user's own, beside the checker's: functions over what a run leaves behind.

def nobody_flies_without_a_room(case: Case) -> Iterator[tuple[str, str]]:
    ...
    yield saga_id, "has a seat and no room"
"""

import inspect
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from types import FunctionType
from typing import Any

from chaos.checker import Case, check
from chaos.evidence import Evidence, Violation
from sagas import InvalidDefinition
from sagas.imports import named

MOST_VIOLATIONS = 1_000  #: that are asked for, of one invariant in one run


@dataclass(frozen=True, slots=True)
class Invariant:
    """One of them. Its function gets a `Case`, and yields what is wrong: words, or a saga's id and words."""

    reference: str  #: module:function
    function: Callable[[Case], Any]

    @classmethod
    def named(cls, reference: str) -> "Invariant":
        """The one at `module:function`. Raises `InvalidDefinition`."""
        return cls(reference, _fit(reference, named(reference, FunctionType)))

    @classmethod
    def of(cls, function: Callable[[Case], Any]) -> "Invariant":
        """The one that the function is. Raises `InvalidDefinition`."""
        reference = f"{getattr(function, '__module__', '')}:{getattr(function, '__qualname__', function)}"
        return cls(reference, _fit(reference, function))

    @property
    def name(self) -> str:
        """The function's, in words."""
        return str(self.function.__name__).replace("_", " ").strip()

    def violations(self, case: Case) -> Iterator[Violation]:
        """What is wrong. A function that raises is one more: it has not said that anything holds."""
        try:
            for one in islice(_several(self.function(case)), MOST_VIOLATIONS):
                yield self._violation(one)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the author's to see
            yield Violation(self.name, "", self._raised(error))

    def _violation(self, given: Any) -> Violation:
        match given:
            case str(words):
                return Violation(self.name, "", words)
            case (str() | None as saga_id, str(words)):
                return Violation(self.name, saga_id or "", words)
            case _:
                return Violation(self.name, "", f"gave {given!r}; it is to yield words, or a saga's id and words")

    def _raised(self, error: Exception) -> str:
        file = inspect.getfile(self.function)
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
        place = f"{Path(file).name}, line {lines[-1]}" if lines else Path(file).name
        return f"raised {type(error).__name__}: {error} ({place})"


def judge(evidence: Evidence, invariants: Sequence[Invariant]) -> list[Violation]:
    """Everything that is wrong, by the checker's invariants and by these."""
    case = Case(evidence)
    return [*check(evidence), *(one for invariant in invariants for one in invariant.violations(case))]


def found(references: Iterable[str], beside: Iterable[Invariant] = ()) -> tuple[Invariant, ...]:
    """The invariants of these names, behind others. Raises `InvalidDefinition`."""
    return tuple(dict.fromkeys([*beside, *map(Invariant.named, references)]))


def _several(given: Any) -> Iterable[Any]:
    """What a function gave: nothing, one, or several."""
    if given is None:
        return ()
    return [given] if isinstance(given, str) or not isinstance(given, Iterable) else given


def _fit(reference: str, function: Callable[..., Any]) -> Callable[[Case], Any]:
    if not isinstance(function, FunctionType):
        raise InvalidDefinition(f"{reference} can't be an invariant: it is not a function")
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        raise InvalidDefinition(f"{reference} can't be an invariant: it is async, and there is nothing to wait for")
    try:
        inspect.signature(function).bind(None)
    except TypeError:
        takes = f"{function.__name__}{inspect.signature(function)}"
        wanted = f"{function.__name__}(case: chaos.checker.Case)"
        raise InvalidDefinition(f"{reference} can't be an invariant: it is {takes}; write {wanted}") from None
    return function
