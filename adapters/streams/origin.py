"""Where the group of a stream that others own begins: the first time, and when it was lost. Pure.

A group on a stream of ours begins at id 0, always. On others' streams that would start what happened long before we
came, so the place is remembered outside of Redis: first where reading began, then how far everything has been settled.
"""

from adapters.streams.ids import parse_id

BEGINNING = "0-0"
_MAX_SEQUENCE = 2**64 - 1


def first_place(newest: str | None, *, beginning: bool) -> str:
    """Behind which id reading begins the first time ever. `newest` is the newest id there was, None for no stream."""
    return BEGINNING if beginning or newest is None else newest


def place_again(remembered: str, newest: str | None) -> str:
    """Where a lost group goes on. A stream whose ids do not reach the remembered one was wiped: all of it is new."""
    if newest is None or parse_id(newest) < parse_id(remembered):
        return BEGINNING
    return remembered


def before(entry_id: str) -> str:
    """The id right before this one: a group made there is delivered this entry first."""
    milliseconds, sequence = parse_id(entry_id)
    if sequence:
        return f"{milliseconds}-{sequence - 1}"
    return f"{milliseconds - 1}-{_MAX_SEQUENCE}" if milliseconds else BEGINNING
