"""`Event`: another service's event that starts a saga.

It says where the event is published and which field of it makes it *the same* event when it comes twice. It does no
I/O; whatever an author's function does here, only `CannotStart` comes out.
"""

import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias, get_args

from sagas.errors import InvalidDefinition

EventData: TypeAlias = Mapping[str, Any]  #: the event's `data` as it was published: decoded JSON, nothing renamed
Beginning = Literal["$", "beginning"]

MAX_NAME_CHARS = 255
MAX_KEY_CHARS = 512

# No spaces, quotes or angle brackets: the names are shown in diagrams, logs and URLs.
_NAME = re.compile(r"[!#-&(-;=?-_a-~]+")


class CannotStart(ValueError):
    """An event that was meant to start a saga can't: the message says why, for whoever finds it in the dead letters."""


@dataclass(frozen=True)
class Event:
    """An event on a stream that starts a saga: `Event("ORDER_CREATED", stream="orders", key=lambda data: data["id"])`.

    `key` gets the event's `data` as it was published and returns what identifies the business case, such as the order's
    id: a string or an int. Events with the same key start one saga. `input` makes the saga's input from the data, where
    that has other names or more fields; by default the data is the input. `start` is where reading begins the first
    time ever: `"$"`, with what is published from then on, or at the `"beginning"` of the stream.

    Raises `InvalidDefinition`.
    """

    type: str
    stream: str = field(kw_only=True)
    key: Callable[[EventData], str | int] = field(kw_only=True)
    input: Callable[[EventData], EventData] | None = field(kw_only=True, default=None)
    start: Beginning = field(kw_only=True, default="$")

    def __post_init__(self) -> None:
        if problems := list(self._problems()):
            raise InvalidDefinition(problems)

    def key_of(self, data: EventData) -> str:
        """What the data says the key is; raises `CannotStart`."""
        found: object = _called("key=", self.key, data)
        if isinstance(found, bool) or not isinstance(found, str | int):
            raise CannotStart(f"key= gave {type(found).__name__} instead of a string or an int")
        text = str(found)
        if not text.strip():
            raise CannotStart("key= gave an empty string")
        if len(text) > MAX_KEY_CHARS:
            raise CannotStart(f"key= gave {len(text)} characters; at most {MAX_KEY_CHARS} are a key")
        return text

    def input_of(self, data: EventData) -> EventData:
        """What the saga is to be started with, not yet checked; raises `CannotStart`."""
        if self.input is None:
            return data
        found: object = _called("input=", self.input, data)
        if not isinstance(found, Mapping):
            raise CannotStart(f"input= gave {type(found).__name__} instead of the saga's input, {{name: value}}")
        return found

    def to_json(self) -> dict[str, str]:
        """For programs: names only, never a function's code."""
        return {"type": self.type, "stream": self.stream, "start": self.start}

    def _problems(self) -> Iterator[str]:
        where = f"Event {self.type!r}"
        names: Mapping[str, object] = {"the type": self.type, "stream=": self.stream}
        for role, name in names.items():
            if not isinstance(name, str) or len(name) > MAX_NAME_CHARS or not _NAME.fullmatch(name):
                yield f"{where}: {role} {name!r} must be 1 to {MAX_NAME_CHARS} visible ASCII characters, without quotes"
        yield from _function_problems(where, "key=", self.key)
        if self.input is not None:
            yield from _function_problems(where, "input=", self.input)
        if self.start not in get_args(Beginning):
            yield f"{where}: start={self.start!r} must be '$' (what comes from now on) or 'beginning'"


def _called(role: str, function: Callable[[EventData], object], data: EventData) -> object:
    try:
        return function(data)
    except Exception as error:  # The author's function may raise anything.
        raise CannotStart(f"{role} raised {type(error).__name__}: {error}"[:500]) from error


def _function_problems(where: str, role: str, function: object) -> Iterator[str]:
    if not callable(function):
        yield f"{where}: {role} {function!r} is not a function"
    elif inspect.iscoroutinefunction(function):
        yield f"{where}: {role} is an async function, but a definition does no I/O"
