"""API keys: who may do what. Only digests are kept, so nobody can read a key out of a setting, a file or a log.

    name:sha256hex:scope+scope[:expires],…

`expires` is a day (its beginning in UTC) or a time (RFC 3339). A name may have two keys at a time, so that one can take
the other's place while both work. A file holds the same, with line breaks and `#` comments where you like; it is read
again when it changes.
"""

import hashlib
import hmac
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from enum import StrEnum
from pathlib import Path

import structlog

from adapters.clock import Clock

log = structlog.get_logger(__name__)

LIVE_KEYS = 2  #: of one name
GUESSED_FIRST = ("", "admin", "apikey", "changeme", "default", "dev", "key", "password", "saga", "secret", "test")
REFRESH_EVERY_S = 2.0

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_COMMENT = re.compile(r"#[^\n]*")


class Access(StrEnum):
    """What a key may be used for."""

    READ = "read"  #: look at everything
    START = "start"  #: start sagas
    OPERATE = "operate"  #: change what sagas and dead letters would do by themselves


class InvalidKeys(ValueError):
    """Keys that can't be read. The message counts them, and never shows one."""


@dataclass(frozen=True, slots=True)
class ApiKey:
    """One key: whose it is, the SHA-256 digest of its text, and what it is good for."""

    name: str
    digest: bytes
    scopes: frozenset[Access]
    expires: datetime | None = None

    def has_expired(self, now: datetime) -> bool:
        """Whether it is good for nothing any more."""
        return self.expires is not None and now >= self.expires

    @property
    def entry(self) -> str:
        """How it is written in a setting or a file."""
        scopes = "+".join(scope for scope in Access if scope in self.scopes)
        return ":".join([self.name, self.digest.hex(), scopes, *([self.expires.isoformat()] if self.expires else [])])


def api_key(name: str, secret: str, scopes: Iterable[str], expires: datetime | None = None) -> ApiKey:
    """The key whose text is `secret`; raises `InvalidKeys` for a name or scope that can't be."""
    until = [] if expires is None else [expires.isoformat()]
    (key,) = parse_keys(":".join([name, _digest(secret).hex(), "+".join(scopes), *until]))
    return key


def parse_keys(text: str) -> tuple[ApiKey, ...]:
    """The keys of a setting or a file; raises `InvalidKeys`, also where there is none."""
    entries = [entry.strip() for entry in re.split(r"[,\n]", _COMMENT.sub("", text)) if entry.strip()]
    keys = tuple(_parse(entry, number) for number, entry in enumerate(entries, 1))
    if not keys:
        raise InvalidKeys("holds no key; `saga key new` makes one")
    for name, count in Counter(key.name for key in keys).items():
        if count > LIVE_KEYS:
            raise InvalidKeys(f"{name} has {count} keys; {LIVE_KEYS} can be live at a time")
    return keys


def _parse(entry: str, number: int) -> ApiKey:
    name, _, rest = entry.partition(":")
    digest, _, rest = rest.partition(":")
    scopes, _, expires = rest.partition(":")
    if not _NAME.fullmatch(name):
        raise InvalidKeys(f"key {number}: the name must be letters, digits, '_', '.' and '-'")
    if not _DIGEST.fullmatch(digest.lower()):
        raise InvalidKeys(f"key {number}: behind the name comes the key's SHA-256 digest, 64 hexadecimal digits")
    try:
        found = frozenset(Access(scope) for scope in scopes.split("+"))
    except ValueError:
        known = ", ".join(Access)
        raise InvalidKeys(f"key {number}: behind the digest come scopes, joined by '+': {known}") from None
    return ApiKey(name, bytes.fromhex(digest), found, _expires(expires, number) if expires else None)


def _expires(text: str, number: int) -> datetime:
    try:
        found = datetime.fromisoformat(text)
        return found.astimezone(UTC) if found.tzinfo else _midnight(text)
    except (ValueError, OverflowError):
        said = "behind the scopes comes when it expires: a day, as 2030-01-31, or a time, as 2030-01-31T12:00:00Z"
        raise InvalidKeys(f"key {number}: {said}") from None


def _midnight(text: str) -> datetime:
    """The day's beginning; `ValueError` for a time without its zone: nobody could tell when that is."""
    return datetime.combine(date.fromisoformat(text), time(), UTC)


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def guessable(keys: Sequence[ApiKey]) -> list[str]:
    """The names of keys whose text is what anybody would try first: such a word, or the key's own name."""
    words = {_digest(word) for word in GUESSED_FIRST}
    return [key.name for key in keys if key.digest in words | {_digest(key.name)}]


class KeyRing:
    """The keys that are good now. Without any, nobody has to say who they are."""

    def __init__(self, keys: Sequence[ApiKey] = (), file: Path | None = None) -> None:
        """Raises `InvalidKeys` or `OSError` where a file is given and can't be read."""
        self._file = file
        self._seen = None if file is None else _mark(file)
        self._keys = tuple(keys) if file is None else parse_keys(file.read_text())

    @property
    def keys(self) -> Sequence[ApiKey]:
        """The keys themselves."""
        return self._keys

    @property
    def required(self) -> bool:
        """Whether a caller needs a key."""
        return bool(self._keys)

    def find(self, token: str) -> ApiKey | None:
        """Whose key this is. Takes as long whichever it is, and where it is none."""
        digest = _digest(token)
        found = None
        for key in self._keys:
            if hmac.compare_digest(key.digest, digest):
                found = key
        return found

    async def run(self, clock: Clock) -> None:
        """Follow the file for ever; while it can't be read the keys stay what they were."""
        while self._file is not None:
            await clock.sleep(REFRESH_EVERY_S)
            self.refresh()

    def refresh(self) -> None:
        """Read the file again if it has changed."""
        if self._file is None:
            return
        try:
            mark = _mark(self._file)
            if mark == self._seen:
                return
            self._keys = parse_keys(self._file.read_text())
            self._seen = mark
            log.info("api-keys-read", keys=len(self._keys))
        except (OSError, ValueError) as error:
            log.error("api-keys-not-read", reason=str(error))


def _mark(file: Path) -> tuple[int, int, int]:
    found = file.stat()
    return found.st_mtime_ns, found.st_size, found.st_ino
