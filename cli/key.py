"""`saga key new`: an API key. Only its digest is ever kept, so it is shown once and never again."""

import secrets
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from cli.arguments import AsJson, duration_s
from cli.failure import Exit, Failure
from cli.service import KEY_VARIABLE
from cli.terminal import note, show_json
from orchestrator.keys import Access, ApiKey, InvalidKeys, api_key, parse_keys

PREFIX = "saga_"  #: by which scanners for leaked secrets can know one
_BYTES = 32


def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Whose key it is; in logs and audit records.")],
    scopes: Annotated[
        str,
        typer.Option(
            help=f"What it is good for, separated by commas: {', '.join(Access)}.",
            autocompletion=lambda: [*map(str, Access)],
        ),
    ],
    expires: Annotated[
        str | None, typer.Option(help="When it ends: 90d, a day like 2030-01-31, or a time. Default: never.")
    ] = None,
    file: Annotated[
        Path | None, typer.Option(help="Also add it to this file, as SAGA_API_KEYS_FILE names one.", dir_okay=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make an API key. Prints the key, which is kept nowhere, and under it the entry for SAGA_API_KEYS.

    A name may have two keys at a time, so that a new one can take the old one's place while both work.
    """
    secret = PREFIX + secrets.token_urlsafe(_BYTES)
    key = _made(name, secret, scopes, _moment(expires) if expires else None)
    if file is not None:
        _add(key, file)
    if as_json:
        show_json(_shown(key, secret))
    else:
        print(secret)
        print(key.entry)
        note(_what_next(file))


def _made(name: str, secret: str, scopes: str, expires: datetime | None) -> ApiKey:
    wanted = [scope.strip() for scope in scopes.replace("+", ",").split(",") if scope.strip()]
    unknown = [scope for scope in wanted if scope not in [*Access]]
    if unknown or not wanted:
        raise Failure(f"--scopes: {scopes!r} is not made of {', '.join(Access)}.", Exit.USAGE)
    try:
        return api_key(name, secret, wanted, expires)
    except InvalidKeys as error:
        raise Failure(f"NAME: {str(error).partition(': ')[2]}", Exit.USAGE) from error


def _moment(text: str) -> datetime:
    """When it ends. Raises `Failure` for a time that is over."""
    now = datetime.now(UTC)
    try:
        found = datetime.fromisoformat(text)
        found = found if found.tzinfo else found.replace(tzinfo=UTC)
    except ValueError:
        found = now + timedelta(seconds=duration_s(text, "--expires"))
    if found <= now:
        raise Failure(f"--expires: {text} is over.", Exit.USAGE)
    return found.replace(microsecond=0)


def _add(key: ApiKey, file: Path) -> None:
    """Add the entry to the file, if the service could read the whole then."""
    try:
        there = file.read_text() if file.exists() else ""
        text = f"{there.rstrip()}\n{key.entry}\n".lstrip()
        parse_keys(text)
        file.touch(mode=0o600)
        file.write_text(text)
    except OSError as error:
        raise Failure(f"--file: can't write {file}: {error.strerror}") from error
    except InvalidKeys as error:
        raise Failure(f"--file: with this key {file} could not be read: {error}", Exit.USAGE) from error


def _shown(key: ApiKey, secret: str) -> dict[str, object]:
    return {
        "name": key.name,
        "key": secret,
        "entry": key.entry,
        "scopes": [scope for scope in Access if scope in key.scopes],
        "expires": None if key.expires is None else key.expires.isoformat(),
    }


def _what_next(file: Path | None) -> str:
    where = (
        f"It stands in {file}." if file else "Add the second line to SAGA_API_KEYS, or to the file SAGA_API_KEYS_FILE."
    )
    return f"\n{where}\nWhoever calls puts the first into {KEY_VARIABLE}. It is not shown again."
