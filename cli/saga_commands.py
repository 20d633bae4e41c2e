"""`saga start`, `ls`, `show`, `wait`: look at sagas, and start them."""

from contextlib import suppress
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from cli import completion
from cli.advice import next_commands
from cli.arguments import AsJson, Status, Timeout, Url, duration_s, json_object, moment
from cli.failure import Exit, Failure
from cli.follow import follow
from cli.misfits import misfit
from cli.render import history_table, saga_table, saga_tree
from cli.service import connected
from cli.terminal import note, show, show_json
from client import AnswerLost, InvalidRequest, NotEnded, SagaError, SagaInstance, SyncSagaClient
from client import Status as SagaStatus

_TAIL = 10  #: transitions shown of a stuck saga's history

SagaId = Annotated[
    str, typer.Argument(metavar="ID", help="The saga's id.", autocompletion=completion.saga_ids, show_default=False)
]
SagaName = Annotated[
    str | None, typer.Option("--saga", help="Only sagas of this definition.", autocompletion=completion.saga_names)
]


def start(
    saga: Annotated[
        str,
        typer.Argument(
            metavar="SAGA", help="The definition's name, such as `order`.", autocompletion=completion.saga_names
        ),
    ],
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
    if saga_id is not None and key is not None:
        raise Failure("--id and --key say the same thing twice: give one of them.", Exit.USAGE)
    with connected(url) as client:
        found = _started(client, saga, given, id=saga_id, key=key, wait_s=wait_s or 0.0)
        if wait_s is None and not as_json:
            print(found.id)
            return
        _show(client, found, as_json)
    if wait_s is not None:
        raise typer.Exit(exit_code(found))


def _started(client: SyncSagaClient, saga: str, data: dict[str, Any], **given: Any) -> SagaInstance:
    try:
        return client.start(saga, data, **given)
    except AnswerLost as error:
        again = f"--id {error.ids[0]}" if error.ids else "the same --key"
        raise Failure(f"{error.message} Start it again with {again}: then it starts once.") from error
    except InvalidRequest as error:
        raise misfit(client, saga, error) or error from error


def ls(
    saga: SagaName = None,
    status: Status = None,
    since: Annotated[
        str | None, typer.Option(help="Only begun since: 1h, 2d, or a time like 2030-01-31T12:00Z.")
    ] = None,
    prefix: Annotated[str | None, typer.Option("--id", help="Only ids that begin with this.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="At most that many.")] = 20,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """List sagas, newest first."""
    begun = moment(since) if since else None
    with connected(url) as client:
        found = list(client.find(saga=saga, status=status, since=begun, q=prefix, limit=limit))
    if as_json:
        show_json([one.to_json() for one in found])
    elif found:
        show(saga_table(found, datetime.now(UTC)))
    else:
        note("No sagas.")


def show_one(
    saga_id: SagaId,
    following: Annotated[
        bool, typer.Option("--follow", "-f", help="Keep showing it until it ends or is stuck.")
    ] = False,
    history: Annotated[bool, typer.Option("--history", help="Show every transition that is still known.")] = False,
    timeout: Timeout = "1h",
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Show one saga as a tree of its steps; of one that is stuck also how it came to this, and what to type next.

    Exit code with --follow: 0 completed, 3 ended otherwise, 4 stuck, 6 not ended in time.
    """
    within_s = duration_s(timeout, "--timeout")
    if history and following:
        raise Failure("--history and --follow don't go together: give one of them.", Exit.USAGE)
    if following:
        found = follow(url, saga_id, within_s, as_json)
        with connected(url) as client:
            _explain(client, found, as_json)
        raise typer.Exit(exit_code(found))
    with connected(url) as client:
        if history:
            _show_history(client, saga_id, as_json)
        else:
            _show(client, client.get(saga_id), as_json)


def wait(
    saga_id: SagaId,
    timeout: Timeout = "1h",
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Wait until a saga has ended or is stuck, then show it.

    Exit code: 0 completed, 3 ended otherwise, 4 stuck, 6 not ended in time.
    """
    with connected(url) as client:
        found = settled(client, saga_id, duration_s(timeout, "--timeout"))
        _show(client, found, as_json)
    raise typer.Exit(exit_code(found))


def settled(client: SyncSagaClient, saga_id: str, within_s: float) -> SagaInstance:
    """The saga when it has ended or is stuck, or as it is when the time is over."""
    try:
        return client.wait(saga_id, timeout_s=within_s)
    except NotEnded as error:
        return error.saga


def exit_code(saga: SagaInstance) -> Exit:
    """What a script is told of a saga for which it has waited."""
    match saga.status:
        case SagaStatus.COMPLETED:
            return Exit.OK
        case SagaStatus.COMPENSATED:
            return Exit.NOT_COMPLETED
        case SagaStatus.STUCK:
            return Exit.STUCK
        case _:
            return Exit.TIMEOUT


def _show(client: SyncSagaClient, saga: SagaInstance, as_json: bool) -> None:
    if as_json:
        show_json(saga.to_json())
    else:
        show(saga_tree(saga))
    _explain(client, saga, as_json)


def _explain(client: SyncSagaClient, saga: SagaInstance, as_json: bool) -> None:
    """What an operator needs of a saga that waits for one."""
    if saga.status is not SagaStatus.STUCK or as_json:
        return
    with suppress(SagaError):  # What was asked for has been shown.
        tail = client.history(saga.id).items[-_TAIL:]
        commands = next_commands(client, saga)
        show("")
        show(history_table(tail))
        note("\n".join(["\nNext, one of", *(f"  {command}" for command in commands)]))


def _show_history(client: SyncSagaClient, saga_id: str, as_json: bool) -> None:
    history = client.history(saga_id)
    if as_json:
        show_json(history.to_json())
        return
    show(history_table(history.items))
    if history.truncated_before:
        note(f"Revisions before {history.truncated_before} are not kept.")
