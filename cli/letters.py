"""`saga dead-letters`: messages that could not be handled. Look, give them another try, remove them."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated

import typer

from cli import completion
from cli.arguments import AsJson, Url, Yes
from cli.failure import Exit, Failure
from cli.many import confirmed, one_by_one
from cli.render import letter_table, plain_table
from cli.service import connected
from cli.terminal import note, show, show_json
from client import DeadLetter, SyncSagaClient

MOST = 10_000  #: letters that one command works on

LetterId = Annotated[
    str, typer.Argument(metavar="ID", help="The dead letter's id.", autocompletion=completion.letter_ids)
]
LetterIds = Annotated[
    list[str] | None, typer.Argument(metavar="[ID]...", help="Dead letters.", autocompletion=completion.letter_ids)
]
Stream = Annotated[str | None, typer.Option(help="Only of this stream, with --all.")]


def ls(
    limit: Annotated[int, typer.Option(min=1, max=MOST, help="At most that many.")] = 50,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """List the messages that could not be handled, newest first."""
    with connected(url) as client:
        found = list(client.dead_letters(limit=limit))
    if as_json:
        show_json([letter.to_json() for letter in found])
    elif found:
        show(letter_table(found, datetime.now(UTC)))
    else:
        note("No dead letters.")


def show_one(letter_id: LetterId, url: Url = None, as_json: AsJson = False) -> None:
    """Show one, with what was in the message."""
    with connected(url) as client:
        letter = client.dead_letter(letter_id)
    if as_json:
        show_json(letter.to_json())
        return
    table = plain_table("field", "value")
    for name, value in letter.to_json().items():
        if name != "fields" and value is not None:
            table.add_row(name, str(value))
    for name, value in (letter.fields or {}).items():
        table.add_row(f"fields.{name}", str(value))
    show(table)
    if letter.truncated:
        note("It was not kept whole, so it can't be redriven.")
    else:
        note(f"\nGive it another try: saga dead-letters redrive {letter.id}")


def redrive(
    ids: LetterIds = None,
    everything: Annotated[bool, typer.Option("--all", help="All that can be, and were not before.")] = False,
    stream: Stream = None,
    again: Annotated[bool, typer.Option("--again", help="Also those that were redriven before.")] = False,
    yes: Yes = False,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Give messages another try: one, some, or all.

    Those of our own streams are put there again, and whoever receives one twice drops the repeat. One that starts a
    saga is tried at once by the service: nothing is written to the streams of others.
    """

    def do(client: SyncSagaClient, letter_id: str) -> None:
        letter = client.redrive(letter_id, again=again)
        if as_json:
            show_json(letter.to_json())
        else:
            note(f"{letter.id} of {letter.stream} was given another try.")

    def is_wanted(letter: DeadLetter) -> bool:
        return not letter.truncated and (again or not letter.redrives) and stream in (None, letter.stream)

    _work("redrive", ids, everything, is_wanted, yes, url, do)


def delete(
    ids: LetterIds = None,
    everything: Annotated[bool, typer.Option("--all", help="All of them.")] = False,
    stream: Stream = None,
    yes: Yes = False,
    url: Url = None,
) -> None:
    """Delete messages for good: one, some, or all."""

    def do(client: SyncSagaClient, letter_id: str) -> None:
        client.delete_dead_letter(letter_id)
        note(f"{letter_id} is gone.")

    _work("delete", ids, everything, lambda letter: stream in (None, letter.stream), yes, url, do)


def _work(
    action: str,
    ids: list[str] | None,
    everything: bool,
    is_wanted: Callable[[DeadLetter], bool],
    yes: bool,
    url: str | None,
    do: Callable[[SyncSagaClient, str], None],
) -> None:
    if bool(ids) is everything:
        raise Failure(f"saga dead-letters {action}: give ids, or --all.", Exit.USAGE)
    with connected(url) as client:
        chosen = ids or [letter.id for letter in client.dead_letters(limit=MOST) if is_wanted(letter)]
        if everything or action == "delete":
            letters = "1 dead letter" if len(chosen) == 1 else f"{len(chosen)} dead letters"
            confirmed(f"{action} {letters}", len(chosen), yes)

        def one(letter_id: str) -> Exit:
            do(client, letter_id)
            return Exit.OK

        code = one_by_one(chosen, action, one)
    raise typer.Exit(code)
