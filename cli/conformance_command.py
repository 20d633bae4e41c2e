"""The command `saga conformance`: only what it accepts. What it does is imported when it is done."""

from pathlib import Path
from typing import Annotated

import typer

from cli.arguments import AsJson, duration_s


def _check_names() -> list[str]:
    from chaos.conformance.checks_entries import CHECKS  # noqa: PLC0415

    return [check.name for check in CHECKS]


Stream = Annotated[
    str | None, typer.Option(metavar="STREAM", help="The participant's stream: saga.commands.inventory.")
]
Group = Annotated[str | None, typer.Option(metavar="NAME", help="Its consumer group, if not called like it.")]
Action = Annotated[str | None, typer.Option(metavar="TYPE", help="A command that it knows: inventory.reserve-stock.")]
Data = Annotated[
    str | None,
    typer.Option(
        metavar="JSON",
        help="Its data, as JSON, @file or -: done each time. {saga_id} in it becomes the saga's id.",
    ),
]
Compensation = Annotated[
    str | None, typer.Option(metavar="TYPE", help="The command that undoes it: inventory.release-stock.")
]
CompensationData = Annotated[
    str | None, typer.Option(metavar="JSON", help="The compensation's data; default: {}, or made from --saga.")
]
Rejected = Annotated[str | None, typer.Option(metavar="JSON", help="Data with which the action is rejected.")]
OfSaga = Annotated[
    str | None,
    typer.Option("--saga", metavar="MODULE:ATTRIBUTE", help="Take types and examples from a step of this saga."),
]
OfStep = Annotated[
    str | None, typer.Option("--step", metavar="NAME", help="Which step; it is the middle of each command id.")
]
LedgerUrl = Annotated[
    str | None,
    typer.Option(
        "--ledger",
        metavar="PLACE",
        help="Count effects too: DATABASE.COLLECTION, or mongodb://HOST/DATABASE.COLLECTION.",
    ),
]
RedisUrl = Annotated[
    str | None,
    typer.Option("--redis", envvar="SAGA_REDIS_URL", metavar="URL", help="Redis; default: what .saga/ says."),
]
Only = Annotated[
    list[str] | None,
    typer.Option("--only", metavar="CHECK", help="Only this check; may be repeated.", autocompletion=_check_names),
]
Expiry = Annotated[
    str, typer.Option(metavar="DURATION", help="How long the participant keeps its inbox; `never`: for ever.")
]
Destructive = Annotated[
    bool, typer.Option("--destructive", help="Destroy the participant's group too: it must make it again.")
]
Timeout = Annotated[str, typer.Option("--timeout", help="How long to wait for each answer.")]
List = Annotated[bool, typer.Option("--list", help="List the checks, with what is required and why; send nothing.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Show of every check what was sent and what came.")]
Junit = Annotated[Path | None, typer.Option(metavar="FILE", help="Write JUnit XML too, for CI.", dir_okay=False)]


def conformance(
    stream: Stream = None,
    group: Group = None,
    action: Action = None,
    data: Data = None,
    compensation: Compensation = None,
    compensation_data: CompensationData = None,
    rejected_data: Rejected = None,
    saga: OfSaga = None,
    step: OfStep = None,
    ledger: LedgerUrl = None,
    redis: RedisUrl = None,
    only: Only = None,
    inbox_expiry: Expiry = "90d",
    destructive: Destructive = False,
    timeout: Timeout = "5s",
    only_list: List = False,
    verbose: Verbose = False,
    junit: Junit = None,
    as_json: AsJson = False,
) -> None:
    """Examine a running participant, written in any language: does it keep its duties?

    Sends it commands over Redis: repeated, late, in the wrong order, at once, unreadable; and judges its answers. They
    are real commands, so take a test installation. Its saga ids begin with `conformance-`. Exit code: 0 all required
    checks passed, 1 one did not, 2 wrong usage, 6 no answer at all.
    """
    from cli.conformance import run, subject  # noqa: PLC0415

    if only_list:
        run.show_list(only or [], as_json)
        return
    of_step = subject.OfStep(saga, step)
    types = subject.Given(stream, group, action, data, rejected_data, compensation, compensation_data)
    target = subject.target_of(types, of_step, inbox_expiry, destructive=destructive)
    where = run.Where(redis, ledger, duration_s(timeout, "--timeout"))
    raise typer.Exit(run.run_conformance(target, where, only or [], run.Shape(as_json, verbose, junit)))
