"""Clock, waiting, chance and ids as the machine has them; tests pass their own."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import uuid_utils.compat as uuid


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a client needs besides the network."""

    now_s: Callable[[], float] = time.monotonic
    chance: Callable[[], float] = field(default_factory=lambda: random.Random().random)
    new_id: Callable[[], str] = field(default=lambda: str(uuid.uuid7()))
    sleep: Callable[[float], None] = time.sleep  #: for the client that blocks
    async_sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
