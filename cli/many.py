"""Doing one thing to many: asked about first, with a bar on a terminal, and not ended by a single failure."""

import sys
from collections.abc import Callable, Sequence

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from cli.failure import Exit, Failure
from cli.service import explained
from cli.terminal import note
from client import AccessDenied, SagaError, Unavailable


def confirmed(what: str, count: int, yes: bool) -> None:
    """Go on only if the person at the terminal wants it. Raises `Failure` where nobody can be asked."""
    if not count:
        note("Nothing to do: none was found.")
        raise typer.Exit(Exit.OK)
    if yes:
        return
    if not sys.stdin.isatty():
        raise Failure(f"This would {what}. Give --yes to do it: there is no terminal to ask on.", Exit.USAGE)
    if not typer.confirm(f"{what[:1].upper()}{what[1:]}?", err=True):
        raise Failure("Nothing was done.")


def one_by_one(items: Sequence[str], what: str, do: Callable[[str], Exit]) -> Exit:
    """Do it to each, and tell what failed; the highest of the exit codes. With one item its `SagaError` is raised."""
    if len(items) == 1:
        return do(items[0])
    codes = []
    with progress_bar() as bar:
        for item in bar.track(items, description=what):
            try:
                codes.append(do(item))
            except SagaError as error:
                if isinstance(error, AccessDenied) or type(error) is Unavailable:
                    raise  # The rest would fare no better.
                failure = explained(error)
                note(f"{item}: {failure}")
                codes.append(failure.code)
    failed = sum(code is not Exit.OK for code in codes)
    note(f"{what}: {len(codes) - failed} of {len(codes)}{f', {failed} not; see above' if failed else ''}.")
    return max(codes, default=Exit.OK)


def progress_bar() -> Progress:
    """A bar on the terminal. What is printed meanwhile appears above it, and a pipe gets no more than it wants."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True, highlight=False)  # It moves, so it must not be wrapped by the terminal.
    return Progress(
        *columns,
        console=console,
        disable=not console.is_terminal,
        transient=True,
        redirect_stdout=sys.stdout.isatty(),
    )
