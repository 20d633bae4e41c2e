"""Limits what a request may cost, and how many there are at once.

It must see a body's bytes as they arrive: a body that is too long is refused at the byte that is too many, also where
its length was not announced.
"""

import asyncio
from dataclasses import dataclass

from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope

from orchestrator.api.caller import PROBES
from orchestrator.api.headers import Fields
from orchestrator.api.problems import Kind, Problem, retry_later


@dataclass(frozen=True, slots=True)
class Limits:
    """What one request may cost, and how many there may be at once."""

    body_bytes: int = 262_144
    body_timeout_s: float = 10.0
    requests: int = 2_000
    head_bytes: int = 16_384


class Guard:
    """Refuses with a `Problem`."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits

    def check(self, scope: Scope, fields: Fields, in_hand: int) -> None:
        """Before anything is done for a request; `in_hand` are there with it."""
        if in_hand > self._limits.requests and scope["path"] not in PROBES:
            raise retry_later(Kind.OVERLOADED, "Too many requests are in hand.", 1)
        if _head_bytes(scope) > self._limits.head_bytes:
            raise Problem(Kind.HEAD_TOO_LARGE, f"Path, query and headers may have {self._limits.head_bytes} bytes.")
        length = fields.get("content-length")
        if length.isdecimal() and int(length) > self._limits.body_bytes:
            raise self._too_large()

    async def body(self, receive: Receive) -> bytes:
        """The whole body, which may be neither too long nor too slow."""
        body = bytearray()
        more = True
        try:
            async with asyncio.timeout(self._limits.body_timeout_s):
                while more:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise ClientDisconnect
                    body += message.get("body", b"")
                    if len(body) > self._limits.body_bytes:
                        raise self._too_large()
                    more = message.get("more_body", False)
        except TimeoutError:
            said = f"The body must arrive within {self._limits.body_timeout_s:g} s."
            raise Problem(Kind.BODY_TIMEOUT, said, headers={"Connection": "close"}) from None
        return bytes(body)

    def _too_large(self) -> Problem:
        said = f"A body may have {self._limits.body_bytes} bytes."
        return Problem(Kind.BODY_TOO_LARGE, said, headers={"Connection": "close"})


def _head_bytes(scope: Scope) -> int:
    return (
        len(scope["path"])
        + len(scope["query_string"])
        + sum(len(name) + len(value) for name, value in scope["headers"])
    )
