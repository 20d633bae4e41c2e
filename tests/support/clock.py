"""A clock that a test sets."""

import asyncio
from datetime import UTC, datetime, timedelta


class ManualClock:
    """Stands still until it is moved; sleeping moves it."""

    def __init__(self) -> None:
        self.time = datetime(2026, 1, 1, 12, tzinfo=UTC)

    def now(self) -> datetime:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.advance(seconds)

    def advance(self, seconds: float) -> datetime:
        self.time += timedelta(seconds=seconds)
        return self.time


class HeldClock(ManualClock):
    """Who sleeps is woken by the test."""

    def __init__(self) -> None:
        super().__init__()
        self.sleeping: list[float] = []
        self.woken = asyncio.Event()

    async def sleep(self, seconds: float) -> None:
        self.sleeping.append(seconds)
        await self.woken.wait()
