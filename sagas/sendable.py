"""What fits on the wire: the text of a message's data, and how long it may be.

Saga and participant look at it before anything is done that would then have to be answered or undone.
"""

import json

from sagas.messages import Json

MAX_SENT_BYTES = 256 * 1024  #: of a message's data as JSON, in either direction
#: Made once: `json.dumps` makes a new encoder for each call that has any option.
ENCODER = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, allow_nan=False)


class NotSendable(ValueError):
    """The data is no JSON, or has more than `MAX_SENT_BYTES`."""


def text_of(data: Json) -> str:
    """The data as it is sent; raises `NotSendable`."""
    try:
        text = ENCODER.encode(data)
    except (ValueError, TypeError, RecursionError) as error:
        raise NotSendable(f"data is no JSON: {error}") from error
    if byte_length(text) > MAX_SENT_BYTES:
        raise NotSendable(f"data is larger than {MAX_SENT_BYTES} bytes")
    return text


def byte_length(text: str) -> int:
    """As UTF-8."""
    return len(text) if text.isascii() else len(text.encode(errors="surrogatepass"))


def check_sendable(data: Json, by_pydantic: bytes) -> None:
    """Raise `NotSendable` where `text_of` would, for what can be stored; at once for what is far from it."""
    if len(by_pydantic) > MAX_SENT_BYTES // 2:  # Its JSON has some numbers shorter, never by half.
        text_of(data)
