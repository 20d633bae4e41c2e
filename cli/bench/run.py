"""A whole run: ground, load, and what is shown of it."""

import asyncio
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from uuid import uuid4

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from adapters.logs import configure
from adapters.process import run
from cli.bench.ground import Ground, own_databases, own_service, running_service
from cli.bench.measured import Watcher, measure
from cli.bench.plan import Plan
from cli.bench.report import Load, Result, as_json, as_text
from cli.expected import explaining
from cli.failure import Exit, Failure
from cli.terminal import note, show_json
from cli.tool_commands import Via


@explaining
def run_bench(load: Load, plan_of: Callable[[str], Plan], urls: Sequence[str], in_json: bool) -> None:
    """Run and show. Raises `Failure` where it can't, or where the totals don't add up."""
    if load.rate is not None and load.via is Via.ENGINE:
        raise Failure("--rate is for a service: --via batch or --via post.", Exit.USAGE)
    configure("warning", "auto")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # Clean up then, too.
    plan = plan_of(uuid4().hex[:8])
    with _ground(load.via, urls, plan.run) as ground:
        result = run(_bench(load, plan, ground))
    if in_json:
        show_json(as_json(result))
    else:
        print(as_text(result))


@contextmanager
def _ground(via: Via, urls: Sequence[str], name: str) -> Iterator[Ground]:
    if via is not Via.ENGINE and (running := running_service(urls)):
        yield running
        return
    with own_databases(name) as databases:
        if via is Via.ENGINE:
            yield databases
            return
        with own_service(databases) as ground:
            yield ground


async def _bench(load: Load, plan: Plan, ground: Ground) -> Result:
    stopping = _interruptible()
    with _progress(plan) as advance:
        return await measure(load, plan, ground, Watcher(stopping.is_set, advance))


def _interruptible() -> asyncio.Event:
    """Set by the first Ctrl-C, or SIGTERM. The second one breaks the run off; its servers are still ended in order."""
    loop, interrupted = asyncio.get_running_loop(), asyncio.Event()

    def ask(number: int) -> None:
        note("\nNo more sagas are started; Ctrl-C again breaks off.")
        interrupted.set()
        loop.remove_signal_handler(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ask, number)
    return interrupted


@contextmanager
def _progress(plan: Plan) -> Iterator[Callable[[int], None]]:
    """A bar on the terminal; nothing in a pipe."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("sagas", total=plan.sagas)
        yield lambda count: bar.advance(task, count)
