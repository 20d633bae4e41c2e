"""Limits what a request may cost, and how many there are at once.

It must see a body's bytes as they arrive: a body that is too long is refused at the byte that is too many, also where
its length was not announced.
"""

import asyncio
from dataclasses import dataclass

from starlette.types import Message, Receive, Scope

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

    def limited(self, receive: Receive) -> Receive:
        """`receive`, as long as the body is neither too long nor too slow."""
        received = 0
        complete = False
        end = asyncio.get_running_loop().time() + self._limits.body_timeout_s

        async def counted() -> Message:
            nonlocal received, complete
            if complete:  # What follows the body is the client's disconnecting, which may take any time.
                return await receive()
            message = await self._in_time(receive, end)
            received += len(message.get("body", b""))
            if received > self._limits.body_bytes:
                raise self._too_large()
            complete = not message.get("more_body", False)
            return message

        return counted

    async def _in_time(self, receive: Receive, end: float) -> Message:
        try:
            async with asyncio.timeout_at(end):
                return await receive()
        except TimeoutError:
            said = f"The body must arrive within {self._limits.body_timeout_s:g} s."
            raise Problem(Kind.BODY_TIMEOUT, said, headers={"Connection": "close"}) from None

    def _too_large(self) -> Problem:
        said = f"A body may have {self._limits.body_bytes} bytes."
        return Problem(Kind.BODY_TOO_LARGE, said, headers={"Connection": "close"})


def _head_bytes(scope: Scope) -> int:
    return (
        len(scope["path"])
        + len(scope["query_string"])
        + sum(len(name) + len(value) for name, value in scope["headers"])
    )
