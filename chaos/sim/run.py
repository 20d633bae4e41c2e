"""One simulated run: a setup and a seed in, what came of it out."""

import asyncio
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import structlog

from chaos.evidence import Evidence, Violation
from chaos.faults import Fault
from chaos.invariants import judge
from chaos.sim.loop import VirtualLoop
from chaos.sim.nemesis import Event
from chaos.sim.world import Setup, World

BUGS = frozenset({"sweep-failed", "saga-undecidable", "handler-raised"})


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a run."""

    seed: int
    setup: Setup
    violations: Sequence[Violation]
    fired: Mapping[Fault, int]
    trace: Sequence[Event]
    evidence: Evidence
    lasted_s: float  #: on the run's own clock

    @property
    def held(self) -> bool:
        """Whether every invariant held."""
        return not self.violations

    @property
    def statuses(self) -> Counter[str]:
        """How many sagas ended how."""
        return Counter(saga["status"] for saga in self.evidence.sagas)


def run(setup: Setup, seed: int) -> Result:
    """Run it. The same setup and seed do the same, to the last event."""
    bugs: list[str] = []
    loop = VirtualLoop()
    with _listening(bugs):
        try:
            world = World(setup, seed, loop)
            loop.run_until_complete(world.run())
            evidence = loop.run_until_complete(world.evidence(bugs))
            lasted_s = loop.time()
        finally:
            _end(loop)
    violations = judge(evidence, setup.invariants)
    return Result(seed, setup, violations, dict(world.nemesis.fired), world.nemesis.trace, evidence, lasted_s)


def _end(loop: asyncio.AbstractEventLoop) -> None:
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    if tasks:
        loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
    loop.close()


@contextmanager
def _listening(bugs: list[str]) -> Iterator[None]:
    """Logs go nowhere, but for events that only a mistake in the code causes."""

    def hear(_logger: Any, _method: str, event: Any) -> Any:
        if event.get("event") in BUGS:
            bugs.append(f"{event['event']}: {event.get('error') or event.get('exc_info')}")
        raise structlog.DropEvent

    before = structlog.get_config()
    structlog.configure(processors=[hear], cache_logger_on_first_use=False)
    try:
        yield
    finally:
        structlog.configure(**before)
