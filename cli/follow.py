"""`saga show --follow`: one saga, shown anew whenever it changes, until it ends or is stuck.

The service's event stream says when. Where it can't be had (an older service, a proxy that holds events back), the
saga is looked at again and again instead.
"""

import asyncio
import sys
from collections.abc import AsyncGenerator
from contextlib import AbstractContextManager, aclosing, nullcontext, suppress
from datetime import UTC, datetime

from rich.live import Live

from cli.render import marked, saga_tree
from cli.service import connected_async
from cli.terminal import Harmless, note, show, show_json, stdout_console
from client import SagaClient, SagaError, SagaInstance, Unavailable

_POLL_S = 0.2
_FRAMES_PER_S = 8  #: of the times that run on the screen


def follow(url: str | None, saga_id: str, within_s: float, as_json: bool) -> SagaInstance:
    """Show every change; the saga as it was seen last, when it has settled or the time is over."""
    return asyncio.run(_follow(url, saga_id, within_s, as_json))


async def _follow(url: str | None, saga_id: str, within_s: float, as_json: bool) -> SagaInstance:
    async with connected_async(url) as client:
        saga = await client.get(saga_id)
        view = _View(saga)
        on_screen = sys.stdout.isatty() and not as_json
        with view.live() if on_screen else nullcontext(), suppress(TimeoutError):
            if not on_screen:
                _line(saga, as_json)
            async with asyncio.timeout(within_s), aclosing(_changes(client, saga, within_s)) as changes:
                async for saga in changes:
                    view.saga = saga
                    if not on_screen:
                        _line(saga, as_json)
    if not on_screen and not as_json:
        show(saga_tree(saga))
    return saga


class _View:
    """What is on the screen; drawn anew several times a second, because the times in it run."""

    def __init__(self, saga: SagaInstance) -> None:
        self.saga = saga

    def live(self) -> AbstractContextManager[Live]:
        """It, in place, until the body ends."""
        return Live(self, console=stdout_console(), refresh_per_second=_FRAMES_PER_S)

    def __rich__(self) -> Harmless:
        return Harmless(saga_tree(self.saga, None if self.saga.settled else datetime.now(UTC)))


def _line(saga: SagaInstance, as_json: bool) -> None:
    if as_json:
        show_json(saga.to_json())
        return
    steps = [f"{step.name} {step.status}" for step in saga.steps if step.status != "pending"]
    note(f"revision {saga.revision}: {marked(saga.status).plain}; {', '.join(steps)}")


async def _changes(client: SagaClient, saga: SagaInstance, away_s: float) -> AsyncGenerator[SagaInstance, None]:
    """The saga whenever its revision is another, until it settles."""
    if saga.settled:
        return
    async with aclosing(_revisions(client, saga, away_s)) as revisions:
        async for revision in revisions:
            if revision is not None and revision <= saga.revision:
                continue
            found = await _look(client, saga.id)
            if found.revision != saga.revision:
                saga = found
                yield saga
            if saga.settled:
                return


async def _revisions(client: SagaClient, saga: SagaInstance, away_s: float) -> AsyncGenerator[int | None, None]:
    """The revisions that the event stream tells; None: nobody knows, look."""
    try:
        async with aclosing(client.watch(saga.id, after=str(saga.revision), away_s=away_s)) as transitions:
            async for transition in transitions:
                yield transition.revision
    except SagaError as error:
        note(f"No events ({str(error).splitlines()[0]}); looking every {_POLL_S:g} s instead.")
    while True:
        yield None
        await asyncio.sleep(_POLL_S)


async def _look(client: SagaClient, saga_id: str) -> SagaInstance:
    """The saga; while the service is away, when it is back."""
    while True:
        try:
            return await client.get(saga_id)
        except Unavailable:
            await asyncio.sleep(_POLL_S)
