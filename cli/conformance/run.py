"""The whole of `saga conformance`: connect, examine, tidy, show."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from secrets import token_hex

from rich.console import Console

from adapters.clock import SystemClock
from adapters.errors import Unavailable
from adapters.logs import configure
from adapters.streams.probe import Probe
from adapters.urls import masked
from chaos.conformance.checks_entries import CHECKS
from chaos.conformance.language import Check
from chaos.conformance.ledger import MongoLedger
from chaos.conformance.run import Examination, NoAnswer, WrongExample
from chaos.conformance.sheet import Result, Sheet, as_json, as_junit, check_json
from cli.conformance.report import as_text, listed
from cli.conformance.subject import Target
from cli.data_directory import nearest
from cli.databases import running_databases
from cli.failure import Exit, Failure
from cli.terminal import note, show, show_json

MONGO_VARIABLE = "SAGA_MONGO_URL"


@dataclass(frozen=True, slots=True)
class Where:
    """Where to look, and for how long."""

    redis_url: str | None  #: None: what .saga/ says
    ledger: str | None
    timeout_s: float


@dataclass(frozen=True, slots=True)
class Shape:
    """How to show it."""

    in_json: bool
    whole: bool  #: what was sent and what came, also where all is well
    junit: Path | None


def show_list(only: Sequence[str], in_json: bool) -> None:
    """Show what is checked."""
    checks = chosen(only)
    if in_json:
        show_json([check_json(check) for check in checks])
    else:
        show(listed(checks))


def run_conformance(target: Target, where: Where, only: Sequence[str], shape: Shape) -> Exit:
    """Examine the participant and show the sheet; the exit code. Raises `Failure`."""
    configure("error", "auto")
    sheet = asyncio.run(_sheet(target, where, chosen(only)))
    if shape.junit is not None:
        _write(shape.junit, as_junit(sheet))
    if shape.in_json:
        show_json(as_json(sheet))
    else:
        show(as_text(sheet, whole=shape.whole))
    return Exit.OK if sheet.ok else Exit.OTHER


def chosen(only: Sequence[str]) -> Sequence[Check]:
    """The checks of these names, else all. Raises `Failure`."""
    names = [check.name for check in CHECKS]
    for name in only:
        if name not in names:
            near = get_close_matches(name, names, 3) or names
            raise Failure(f"There is no check {name!r}. Did you mean {', '.join(near)}? --list shows all.", Exit.USAGE)
    return [check for check in CHECKS if not only or check.name in only]


async def _sheet(target: Target, where: Where, checks: Sequence[Check]) -> Sheet:
    running = running_databases(nearest())
    redis_url = where.redis_url or running.get("redis_url")
    if redis_url is None:
        raise Failure("Redis was not found. Name it with --redis or SAGA_REDIS_URL, or start `saga up` here.")
    name = token_hex(4)
    try:
        async with _ledger(where.ledger, running.get("mongo_url")) as ledger, _probe(redis_url, target, name) as probe:
            examination = Examination(probe, target.subject, SystemClock(), name, where.timeout_s, ledger)
            readers = (await probe.look()).reading
            results = await _results(examination, checks)
            await probe.tidy()
    except NoAnswer as error:
        said = f"No answer from {target.stream} within {where.timeout_s:g} s. {error.hint}"
        raise Failure(said, Exit.TIMEOUT) from None
    except WrongExample as error:
        raise Failure(f"Give an example with --data that is done, again and again: {error}", Exit.USAGE) from None
    except Unavailable as error:
        raise Failure(f"{error} ({masked(redis_url)})") from error
    seen_by = "replies alone" if ledger is None else "replies and the ledger"
    return Sheet(target.stream, target.group, seen_by, results, _notes(ledger, readers, probe.left))


def _notes(ledger: MongoLedger | None, readers: int, left: int) -> list[str]:
    notes = []
    if ledger is None:
        notes.append("Effects were not seen, only what the replies claim. With --ledger they are counted.")
    if readers < 2:
        notes.append("One consumer reads this stream: run two processes to see what happens when they meet.")
    if left:
        notes.append(f"{left} entries of this run were never acknowledged; they are now, and removed.")
    return notes


async def _results(examination: Examination, checks: Sequence[Check]) -> list[Result]:
    with _progress(len(checks)) as about_to:
        results = []
        async for result in examination.run(checks, about_to):
            results.append(result)
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise asyncio.CancelledError  # Ctrl-C, which redis-py may have swallowed in the middle of a read.
        return results


class _progress:  # noqa: N801 - used like a function
    """On a terminal the check that runs; elsewhere nothing."""

    def __init__(self, total: int) -> None:
        self._total, self._done = total, 0
        self._status = Console(stderr=True, highlight=False).status("")

    def __enter__(self) -> Callable[[Check], None]:
        if sys.stderr.isatty():
            self._status.start()
        return self._tell

    def __exit__(self, *_: object) -> None:
        self._status.stop()

    def _tell(self, check: Check) -> None:
        self._done += 1
        self._status.update(f"{self._done}/{self._total} {check.name}")


@asynccontextmanager
async def _probe(redis_url: str, target: Target, name: str) -> AsyncIterator[Probe]:
    replies = f"{target.prefix}conformance.{name}"
    try:
        probe = Probe(redis_url, stream=target.stream, group=target.group, replies=replies)
    except ValueError as error:
        raise Failure(f"--redis: {error}", Exit.USAGE) from error
    try:
        await probe.open()
        try:
            yield probe
        finally:
            await probe.tidy()  # Also where somebody pressed Ctrl-C: nothing of ours stays on the stream.
    finally:
        await probe.aclose()


@asynccontextmanager
async def _ledger(place: str | None, running_here: str | None) -> AsyncIterator[MongoLedger | None]:
    if place is None:
        yield None
        return
    try:
        ledger = MongoLedger.at(place, os.environ.get(MONGO_VARIABLE) or running_here)
    except ValueError as error:
        raise Failure(f"--ledger: {error}", Exit.USAGE) from error
    try:
        yield ledger
    finally:
        await ledger.close()


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text)
    except OSError as error:
        raise Failure(f"--junit: can't write {path}: {error.strerror}", Exit.USAGE) from error
    note(f"JUnit: {path}")
