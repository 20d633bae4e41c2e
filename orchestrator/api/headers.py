"""The request headers that mean something here. Pure."""

import hashlib
import re
from collections.abc import Iterable

from orchestrator.api.problems import Fault, Kind, Problem, invalid

MAX_KEY_LENGTH = 255

_QUOTED = re.compile(r'"((?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"')
_PLAIN = re.compile(r"[\x21\x23-\x7e][\x20-\x7e]*")
_WAIT = re.compile(r'(?:^|[,;])\s*wait\s*=\s*"?(\d{1,9}(?:\.\d{1,3})?)"?\s*(?=$|[,;])', re.IGNORECASE)
_REVISION = re.compile(r'"(\d{1,18})"')
_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


class Fields:
    """A request's header fields by name, in small letters: gone through once, however often they are asked for."""

    def __init__(self, raw: Iterable[tuple[bytes, bytes]]) -> None:
        self._values: dict[str, list[str]] = {}
        for name, value in raw:
            self._values.setdefault(name.decode("latin-1"), []).append(value.decode("latin-1"))

    def get(self, name: str, default: str = "") -> str:
        """The first value."""
        values = self._values.get(name)
        return values[0] if values else default

    def getlist(self, name: str) -> list[str]:
        """All values."""
        return self._values.get(name, [])


def idempotency_key(fields: Fields) -> str | None:
    """The `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header-07), quoted or not; raises `Problem`."""
    values = fields.getlist("idempotency-key")
    if not values:
        return None
    key = _unquoted(values[0].strip()) if len(values) == 1 else None
    if key is None or not 1 <= len(key) <= MAX_KEY_LENGTH:
        raise invalid(
            "headers", [Fault("/Idempotency-Key", f"must be one string of 1 to {MAX_KEY_LENGTH} visible characters")]
        )
    return key


def _unquoted(value: str) -> str | None:
    if quoted := _QUOTED.fullmatch(value):
        return re.sub(r"\\(.)", r"\1", quoted[1])
    return value if _PLAIN.fullmatch(value) else None


def key_id(caller: str, key: str) -> str:
    """The id of the saga that this caller starts with this key."""
    return hashlib.sha256(f"{caller}\n{key}".encode()).hexdigest()[:40]


def wait_s(fields: Fields, longest_s: float) -> float | None:
    """How long `Prefer: wait=` (RFC 7240) wants to wait, cut to the longest; None where it doesn't."""
    found = _WAIT.search(",".join(fields.getlist("prefer")))
    return min(float(found[1]), longest_s) if found else None


def applied(waited_s: float) -> dict[str, str]:
    """The header that says how long it was."""
    return {"Preference-Applied": f"wait={waited_s:g}"}


def traceparent(fields: Fields) -> str | None:
    """The W3C trace context, where it is valid."""
    value = fields.get("traceparent")
    return value if _TRACEPARENT.fullmatch(value) else None


def matches(fields: Fields, etag: str) -> bool:
    """Whether the client has this revision already (`If-None-Match`)."""
    asked = fields.get("if-none-match")
    return asked.strip() == "*" or etag in (tag.strip().removeprefix("W/") for tag in asked.split(","))


def if_match(fields: Fields) -> int | None:
    """The one revision that the request is meant for; None where any will do. Raises `Problem` for what is none."""
    asked = ",".join(fields.getlist("if-match")).strip()
    if asked in ("", "*"):
        return None
    found = _REVISION.fullmatch(asked)
    if found is None:
        raise Problem(Kind.REVISION_CHANGED, "If-Match takes one ETag, as the saga was shown with it.")
    return int(found[1])
