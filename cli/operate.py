"""`saga cancel`, `retry`, `skip`, `abort`: what an operator may do with one saga, or with all of a kind."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated

import typer

from cli import completion
from cli.arguments import AsJson, Reason, Revision, Status, Url, Yes, duration_s, json_object
from cli.failure import Exit, Failure
from cli.many import confirmed, one_by_one
from cli.render import saga_line, saga_tree
from cli.saga_commands import SagaName, exit_code, settled
from cli.service import connected
from cli.terminal import show, show_json
from client import SagaInstance, SyncSagaClient

MOST = 10_000  #: sagas that one command works on

Ids = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[ID]...", help="Sagas; or choose them by --saga and --status.", autocompletion=completion.saga_ids
    ),
]
Wait = Annotated[str | None, typer.Option("--wait", help="Then wait that long for the end, as 10s or 1m.")]
Data = Annotated[
    str | None, typer.Option(help="The fields of the step's reply that later steps need: JSON, @FILE or -.")
]

_CODES = "Exit code with --wait: 0 completed, 3 ended otherwise, 4 stuck, 6 not ended in time."

_Act = Callable[[SyncSagaClient, str], SagaInstance]


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the command line says."""

    action: str
    ids: Sequence[str]
    saga: str | None
    status: str | None
    revision: int | None
    wait: str | None
    yes: bool
    as_json: bool

    def check(self) -> None:
        """Raises `Failure` for what does not go together."""
        by_kind = bool(self.saga or self.status)
        if bool(self.ids) is by_kind:
            raise Failure(f"saga {self.action}: give ids, or --saga and --status, but not both.", Exit.USAGE)
        if self.revision is not None and len(self.ids) != 1:
            raise Failure("--if-revision goes with one id.", Exit.USAGE)


def operating(action: str, method: Callable[..., SagaInstance], says: str) -> Callable[..., None]:
    """The command for one of the actions that take a reason and nothing else."""

    def command(
        ids: Ids = None,
        reason: Reason = "",
        saga: SagaName = None,
        status: Status = None,
        revision: Revision = None,
        wait: Wait = None,
        yes: Yes = False,
        url: Url = None,
        as_json: AsJson = False,
    ) -> None:
        _operate(
            _Asked(action, ids or (), saga, status, revision, wait, yes, as_json),
            url,
            lambda client, one: method(client, one, reason=reason, revision=revision),
        )

    command.__doc__ = f"{says}\n\n{_CODES}"
    return command


def skip(
    ids: Ids = None,
    reason: Annotated[str, typer.Option("--reason", help="What was done by hand; needed.")] = "",
    data: Data = None,
    saga: SagaName = None,
    status: Status = None,
    revision: Revision = None,
    wait: Wait = None,
    yes: Yes = False,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Skip the step at which a saga is stuck: it counts as done by hand, and the saga goes on."""
    if not reason:
        raise Failure("--reason: say what was done by hand, as in --reason 'confirmed by phone'.", Exit.USAGE)
    given = None if data is None else json_object(data)
    _operate(
        _Asked("skip", ids or (), saga, status, revision, wait, yes, as_json),
        url,
        lambda client, one: client.skip(one, reason=reason, data=given, revision=revision),
    )


skip.__doc__ = f"{skip.__doc__}\n\n{_CODES}"

cancel = operating(
    "cancel", SyncSagaClient.cancel, "Cancel a saga: have it undone, as long as its point of no return is not passed."
)
retry = operating(
    "retry", SyncSagaClient.retry, "Retry a stuck saga: give it fresh attempts, in the direction in which it went."
)
abort = operating(
    "abort",
    SyncSagaClient.abort,
    "Abort a stuck saga: have it undone, as long as its point of no return is not passed.",
)


def _operate(asked: _Asked, url: str | None, act: _Act) -> None:
    asked.check()
    wait_s = None if asked.wait is None else duration_s(asked.wait, "--wait")
    with connected(url) as client:
        ids = asked.ids or _chosen(client, asked)

        def do(one: str) -> Exit:
            found = act(client, one)
            if wait_s is not None:
                found = settled(client, one, wait_s)
            _tell(found, asked, whole=wait_s is not None and len(ids) == 1)
            return Exit.OK if wait_s is None else exit_code(found)

        code = one_by_one(ids, asked.action, do)
    raise typer.Exit(code)


def _chosen(client: SyncSagaClient, asked: _Asked) -> list[str]:
    """The sagas of the kind that was asked for, if the person at the terminal wants it."""
    found = [one.id for one in client.find(saga=asked.saga, status=asked.status, limit=MOST)]
    kind = " ".join(filter(None, [asked.status, asked.saga]))
    confirmed(f"{asked.action} {len(found)} sagas ({kind})", len(found), asked.yes)
    return found


def _tell(saga: SagaInstance, asked: _Asked, *, whole: bool) -> None:
    if asked.as_json:
        show_json(saga.to_json())
    else:
        show(saga_tree(saga) if whole else saga_line(saga))
