"""Waiting for a condition, with a bound: the only place in the tests that sleeps."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, overload

T = TypeVar("T")

_POLL_S = 0.01


@overload
async def eventually(condition: Callable[[], Awaitable[T]], *, within_s: float = ...) -> T: ...
@overload
async def eventually(condition: Callable[[], T], *, within_s: float = ...) -> T: ...
async def eventually(condition: Callable[[], Any], *, within_s: float = 30.0) -> Any:
    """The condition's first true answer.

    A condition that raises `AssertionError` has not come true yet; the last such error is the failure shown.
    """
    end = time.monotonic() + within_s
    while True:
        cause: AssertionError | None = None
        try:
            answer = condition()
            if inspect.isawaitable(answer):
                answer = await answer
            if answer:
                return answer
        except AssertionError as error:
            cause = error
        if time.monotonic() > end:
            raise AssertionError(f"not true within {within_s} s: {inspect.getsource(condition).strip()}") from cause
        await asyncio.sleep(_POLL_S)


async def quiet() -> None:
    """Every task has gone as far as it can without time or a server."""
    for _ in range(10):
        await asyncio.sleep(0)
