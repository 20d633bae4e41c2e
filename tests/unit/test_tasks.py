"""Tasks that have to end do, whatever becomes of a cancellation."""

import asyncio

from adapters.tasks import end
from support.waiting import quiet


async def for_ever() -> None:
    await asyncio.Event().wait()


async def test_what_loses_its_first_cancellation_ends_all_the_same() -> None:
    lost = asyncio.Event()

    async def losing() -> None:
        try:
            await for_ever()
        except asyncio.CancelledError:
            lost.set()  # As `asyncio.wait_for` does, where what it waits for is done by then.
        await for_ever()

    task = asyncio.create_task(losing())
    await quiet()
    await end([task], again_s=0.01)
    assert lost.is_set()
    assert task.cancelled()


async def test_what_has_ended_or_fails_meanwhile_is_no_trouble() -> None:
    async def failing() -> None:
        try:
            await for_ever()
        finally:
            raise RuntimeError("in the end")

    async def nothing() -> None: ...

    ended, failed = asyncio.create_task(nothing()), asyncio.create_task(failing())
    await ended
    await quiet()
    await end([ended, failed], again_s=0.01)
    await end([])
    assert isinstance(failed.exception(), RuntimeError)
