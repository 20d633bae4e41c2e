"""What may be stored and sent: JSON that MongoDB can hold and every other language can read.

Must never change a value: it only says no, with the place, before a driver would fail half-way.
"""

import math
from typing import Any

MAX_DEPTH = 32
_MIN_INT, _MAX_INT = -(2**63), 2**63 - 1


class NotStorable(ValueError):
    """A value that can't be stored. The message starts with its place, a JSON pointer: `/items/0/price`."""

    def __init__(self, path: str, reason: str) -> None:
        self.path = path
        self.reason = reason
        super().__init__(f"{path or '/'}: {reason}")


def check_storable(value: Any) -> None:
    """Raise `NotStorable` unless the value is JSON that can be stored: see the reasons below."""
    _check(value, 0)


def _check(value: Any, depth: int) -> None:
    if isinstance(value, str):
        _check_text(value)
    elif isinstance(value, int):
        if not _MIN_INT <= value <= _MAX_INT:
            raise NotStorable("", "the integer does not fit into 64 bits")
    elif isinstance(value, (dict, list, tuple)):
        _check_inside(value, depth + 1)
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise NotStorable("", "NaN and Infinity are not JSON")
    elif value is not None:
        raise NotStorable("", f"{type(value).__name__} is not a JSON type")


def _check_inside(value: dict[Any, Any] | list[Any] | tuple[Any, ...], depth: int) -> None:
    if depth > MAX_DEPTH:
        raise NotStorable("", f"nested deeper than {MAX_DEPTH} levels")
    is_object = isinstance(value, dict)
    place: Any = None  # Names as keys and plain text are most of a message, and need no further look.
    try:
        for place, item in value.items() if isinstance(value, dict) else enumerate(value):
            if is_object and not (isinstance(place, str) and place.isidentifier()):
                _check_key(place)
            if item is not None and not (isinstance(item, str) and item.isascii() and "\0" not in item):
                _check(item, depth)
    except NotStorable as error:  # The path is put together only when there is something to report.
        raise NotStorable(f"/{_escaped(place)}{error.path}", error.reason) from None


def _check_key(key: Any) -> None:
    if not isinstance(key, str):
        raise NotStorable("", "the key is not a string")
    if key.startswith("$") or "." in key or "\0" in key:
        raise NotStorable("", "a key must not start with '$' or contain '.' or NUL")
    _check_text(key)


def _check_text(text: str) -> None:
    if "\0" in text:
        raise NotStorable("", "a NUL character, which not every language and database can keep")
    if text.isascii():
        return
    try:
        text.encode()
    except UnicodeEncodeError:
        raise NotStorable("", "the text is not valid Unicode (a lone surrogate)") from None


def _escaped(key: object) -> str:
    shown = str(key).encode(errors="backslashreplace").decode()
    return shown.replace("~", "~0").replace("/", "~1")
