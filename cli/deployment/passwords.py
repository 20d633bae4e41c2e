"""Every password and key of an installation, from one secret: nothing else has to be kept, or told from hand to hand.

Each is the HMAC-SHA-256 of what it is for, so none says anything about another or about the secret (RFC 5869, expand).
"""

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from pathlib import Path

from cli.failure import Failure
from cli.key import PREFIX

_BYTES = 32


@dataclass(frozen=True, slots=True)
class Passwords:
    """Made from the secret."""

    secret: bytes

    def __repr__(self) -> str:
        """Never the secret."""
        return "Passwords()"

    @classmethod
    def read(cls, file: Path) -> "Passwords":
        """Those of the one secret in the file. Raises `Failure`."""
        found = cls.read_all(file)
        if len(found) != 1:
            raise _none_in(file)
        return found[0]

    @classmethod
    def read_all(cls, file: Path) -> "list[Passwords]":
        """Those of each secret in the file, one a line. Raises `Failure`."""
        try:
            secrets_there = [bytes.fromhex(line) for line in file.read_text().splitlines()]
        except OSError as error:
            raise Failure(f"{file} can't be read: {error.strerror}. `saga secrets` makes it.") from None
        except ValueError:
            raise _none_in(file) from None
        if any(len(secret) < _BYTES for secret in secrets_there):
            raise _none_in(file)
        return [cls(secret) for secret in secrets_there]

    @classmethod
    def new(cls) -> "Passwords":
        """Of a new secret."""
        return cls(secrets.token_bytes(_BYTES))

    def of_mongo(self, user: str) -> str:
        """Of a MongoDB user."""
        return self._made(f"mongo/{user}").hex()

    def of_redis(self, user: str) -> str:
        """Of a Redis user."""
        return self._made(f"redis/{user}").hex()

    @property
    def key_file(self) -> str:
        """By which the members of a MongoDB replica set know each other."""
        return base64.b64encode(self._made("mongo-members/1") + self._made("mongo-members/2")).decode()

    def api_key(self, name: str) -> str:
        """An API key's text."""
        return PREFIX + base64.urlsafe_b64encode(self._made(f"api/{name}")).decode().rstrip("=")

    def _made(self, purpose: str) -> bytes:
        return hmac.digest(self.secret, purpose.encode(), hashlib.sha256)


def _none_in(file: Path) -> Failure:
    return Failure(f"{file} holds no secret. `saga secrets` makes one where there is none.")
