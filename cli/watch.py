"""`saga watch`: what happens to sagas, a line for each transition, while it happens."""

import asyncio
from contextlib import aclosing, suppress
from typing import Annotated

import typer

from cli.arguments import AsJson, Status, Url
from cli.render import transition_line
from cli.saga_commands import SagaName
from cli.service import connected_async
from cli.stopping import Stopping
from cli.terminal import note, show, show_json
from client import EventsMissed, SagaClient, Transition

_AWAY_S = 3_600.0  #: how long the service may be away


def watch(
    saga: SagaName = None,
    status: Status = None,
    after: Annotated[
        str | None, typer.Option(metavar="POSITION", help="Go on behind the `position` of a line of --json.")
    ] = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Watch sagas: one line for each transition, until Ctrl-C.

    A connection that breaks is made again, and nothing is missed; where the service can't go on, that is said.
    """
    asyncio.run(_watch(url, saga, status, after, as_json))


async def _watch(url: str | None, saga: str | None, status: str | None, after: str | None, as_json: bool) -> None:
    async with connected_async(url) as client:
        showing = asyncio.create_task(_show(client, saga, status, after, as_json))
        stopping = asyncio.create_task(Stopping(quiet=True).wait())
        await asyncio.wait((showing, stopping), return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if not showing.done():
            showing.cancel()
            with suppress(asyncio.CancelledError):
                await showing
            return
        await showing


async def _show(client: SagaClient, saga: str | None, status: str | None, after: str | None, as_json: bool) -> None:
    note("Watching; Ctrl-C ends it.")
    while True:
        try:
            async with aclosing(client.watch(saga=saga, status=status, after=after, away_s=_AWAY_S)) as transitions:
                async for transition in transitions:
                    _line(transition, as_json)
            return
        except EventsMissed as error:
            after = error.after
            note(
                "Some transitions are missing here: the service does not have them any more. See `saga ls --since 1h`."
            )


def _line(transition: Transition, as_json: bool) -> None:
    if as_json:
        show_json(transition.to_json() | {"position": transition.position})
    else:
        show(transition_line(transition))
