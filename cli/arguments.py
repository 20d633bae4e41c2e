"""What several commands accept, and how it is read: durations, JSON, the service's URL, examples."""

import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

import client
from cli.failure import Exit, Failure
from sagas.durations import WRITTEN_LIKE, seconds

_LONGEST_S = 100 * 365.25 * 86_400

STATUSES = [*map(str, client.Status)]


def _known_status(value: str | None) -> str | None:
    if value is not None and value not in STATUSES:
        raise typer.BadParameter(f"{value!r} is none of {', '.join(STATUSES)}.")
    return value


Url = Annotated[
    str | None, typer.Option("--url", envvar="SAGA_URL", help="Where the service is; default: what .saga/ says.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
Status = Annotated[
    str | None,
    typer.Option(
        "--status",
        metavar="STATUS",
        help=f"Only in this status: {', '.join(STATUSES)}.",
        callback=_known_status,
        autocompletion=lambda: STATUSES,
    ),
]
Reason = Annotated[str, typer.Option("--reason", help="Why; kept in the saga's history and in the audit log.")]
Revision = Annotated[
    int | None, typer.Option("--if-revision", min=1, metavar="N", help="Only while the saga is at this revision.")
]
Timeout = Annotated[str, typer.Option("--timeout", help="Give up after this long.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")]
Directory = Annotated[Path, typer.Option("--dir", envvar="SAGA_DATA_DIR", help="The data directory.", file_okay=False)]


def examples(*lines: str) -> str:
    """The end of a command's help."""
    return "\n\n".join(["Examples:", *(f"  $ {line}" for line in lines)])


def duration_s(text: str, option: str, *, also: str = "") -> float:
    """A duration in seconds, as `10s`, `2m`, or a number of seconds."""
    try:
        found = seconds(float(text) if text.replace(".", "", 1).isdigit() else text)
    except ValueError as error:
        raise Failure(f"{option}: {text!r} is not a duration; {WRITTEN_LIKE}{also}.", Exit.USAGE) from error
    if found > _LONGEST_S:
        raise Failure(f"{option}: {text} is longer than a hundred years.", Exit.USAGE)
    return found


def moment(text: str) -> datetime:
    """A point in time: RFC 3339, or how long ago, as `1h`."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        ago_s = duration_s(text, "--since", also=", or a time like 2030-01-31T12:00Z")
        return datetime.now(UTC) - timedelta(seconds=ago_s)
    if found.tzinfo is None:
        raise Failure(f"--since: {text!r} has no time zone; add one, as in {text}Z", Exit.USAGE)
    return found


def json_object(text: str, option: str = "--data") -> dict[str, Any]:
    """A JSON object: as it stands, from a file (`@order.json`), or from standard input (`-`)."""
    try:
        found = json.loads(_text(text, option))
    except ValueError as error:
        raise Failure(
            f'{option} is not JSON: {error}. Write it like \'{{"customer_id": "alice"}}\'.', Exit.USAGE
        ) from error
    if not isinstance(found, dict):
        raise Failure(f'{option} must be a JSON object, like \'{{"customer_id": "alice"}}\'.', Exit.USAGE)
    return found


def _text(text: str, option: str) -> str:
    if text == "-":
        return sys.stdin.read()
    if not text.startswith("@"):
        return text
    try:
        return Path(text[1:]).read_text()
    except OSError as error:
        raise Failure(f"{option}: can't read {text[1:]}: {error.strerror}", Exit.USAGE) from error
