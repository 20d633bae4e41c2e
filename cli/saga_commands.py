"""`saga start`, `saga ls`, `saga show`: clients of the service's HTTP API."""

import os
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.live import Live

from cli.arguments import AsJson, Url, choice, duration_s, json_object, moment
from cli.client import KEY_VARIABLE, SagaClient
from cli.data_directory import service_url
from cli.failure import Exit
from cli.render import marked, saga_table, saga_tree
from cli.terminal import note, show, show_json, stdout_console

Json = dict[str, Any]

STATUSES = ("running", "compensating", "completed", "compensated", "stuck")
_ENDED = ("completed", "compensated")
_POLL_S = 0.2
_FIRST_WAIT_S = 20.0  #: how long the service itself is asked to wait; beyond that, we ask again and again

SagaId = Annotated[str, typer.Argument(metavar="ID", help="The saga's id.")]


def start(
    saga: Annotated[str, typer.Argument(metavar="SAGA", help="The definition's name, such as `order`.")],
    data: Annotated[str, typer.Option(help="The input: JSON, @FILE, or - for standard input.")],
    saga_id: Annotated[str | None, typer.Option("--id", help="The new saga's id; default: one is made.")] = None,
    key: Annotated[str | None, typer.Option(help="Idempotency key: the same key starts the saga only once.")] = None,
    wait: Annotated[str | None, typer.Option(help="Wait that long for the end, as 10s or 1m.")] = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Start a saga. Prints its id, with --wait its steps.

    Exit code with --wait: 0 completed, 3 ended otherwise, 4 stuck, 6 not ended in time.
    """
    wait_s = duration_s(wait, "--wait") if wait else None
    given = json_object(data)
    with SagaClient(service_url(url), os.environ.get(KEY_VARIABLE)) as client:
        found = client.start(saga, given, saga_id=saga_id, key=key, wait_s=min(wait_s or 0, _FIRST_WAIT_S))
        if wait_s is not None and exit_code(found) is Exit.TIMEOUT:
            *_, found = changes(client, found["id"], wait_s - _FIRST_WAIT_S)
    if as_json:
        show_json(found)
    elif wait_s is None:
        print(found["id"])
    else:
        show(saga_tree(found))
    if wait_s is not None:
        raise typer.Exit(exit_code(found))


def ls(
    saga: Annotated[str | None, typer.Option(help="Only sagas of this definition.")] = None,
    status: Annotated[str | None, typer.Option(help=f"Only in this status: {', '.join(STATUSES)}.")] = None,
    since: Annotated[
        str | None, typer.Option(help="Only begun since: 1h, 2d, or a time like 2030-01-31T12:00Z.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="At most that many.")] = 20,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """List sagas, newest first."""
    choice(status, STATUSES, "--status")
    begun = moment(since) if since else None
    with SagaClient(service_url(url), os.environ.get(KEY_VARIABLE)) as client:
        found = client.find(saga=saga, status=status, since=begun, limit=limit)
    if as_json:
        show_json(found)
    elif found:
        show(saga_table(found, datetime.now(UTC)))
    else:
        note("No sagas.")


def show_one(
    saga_id: SagaId,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Keep showing it until it ends or is stuck.")] = False,
    timeout: Annotated[str, typer.Option(help="With --follow: give up after this long.")] = "1h",
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Show one saga as a tree of its steps.

    Exit code with --follow: 0 completed, 3 ended otherwise, 4 stuck, 6 not ended in time.
    """
    within_s = duration_s(timeout, "--timeout")
    with SagaClient(service_url(url), os.environ.get(KEY_VARIABLE)) as client:
        if not follow:
            _show(client.get(saga_id), as_json)
            return
        last = _follow(changes(client, saga_id, within_s), as_json)
    raise typer.Exit(exit_code(last))


def changes(client: SagaClient, saga_id: str, within_s: float) -> Iterator[Json]:
    """The saga whenever its revision is another, until it ends, is stuck, or the time is over."""
    end = time.monotonic() + within_s
    revision: int | None = None
    while True:
        saga = client.get(saga_id)
        if saga["revision"] != revision:
            yield saga
        revision = saga["revision"]
        if exit_code(saga) is not Exit.TIMEOUT or time.monotonic() > end:
            return
        time.sleep(_POLL_S)


def exit_code(saga: Json) -> Exit:
    """What a script is told of a saga for which it has waited."""
    status = saga["status"]
    if status == "stuck":
        return Exit.STUCK
    if status not in _ENDED:
        return Exit.TIMEOUT
    return Exit.OK if status == "completed" else Exit.NOT_COMPLETED


def _follow(sagas: Iterator[Json], as_json: bool) -> Json:
    """Show every change: on a terminal in place, else one line each."""
    saga = next(sagas)
    if as_json or not sys.stdout.isatty():
        _line(saga, as_json)
        for saga in sagas:
            _line(saga, as_json)
        if not as_json:
            show(saga_tree(saga))
        return saga
    with Live(saga_tree(saga), console=stdout_console(), auto_refresh=False) as live:
        for saga in sagas:
            live.update(saga_tree(saga), refresh=True)
    return saga


def _line(saga: Json, as_json: bool) -> None:
    if as_json:
        show_json(saga)
        return
    steps = [f"{step['name']} {step['status']}" for step in saga["steps"] if step["status"] != "pending"]
    note(f"revision {saga['revision']}: {marked(saga['status']).plain}; {', '.join(steps)}")


def _show(saga: Json, as_json: bool) -> None:
    if as_json:
        show_json(saga)
    else:
        show(saga_tree(saga))
