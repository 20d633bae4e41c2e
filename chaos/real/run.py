"""One real run: a setup and a seed in, what came of it out. Nothing of it is left behind, also after Ctrl-C.

It starts its own servers in a directory of its own, and takes no URL: no fault ever strikes anybody else's.
"""

import asyncio
import os
import shutil
import signal
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from adapters.process import tune
from chaos.evidence import Evidence, Violation
from chaos.faults import Fault
from chaos.invariants import judge
from chaos.real import keeping
from chaos.real.evidence import logged
from chaos.real.looking import Onlooker
from chaos.real.recovery import Recovery, recoveries
from chaos.real.setup import Impossible, Setup
from chaos.real.world import World
from chaos.sim.nemesis import Event

RECORDS = Path(".saga/chaos")
_OURS_ALONE = ("SAGA_MONGO_URL", "SAGA_REDIS_URL")


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a run."""

    seed: int
    setup: Setup
    violations: Sequence[Violation]
    fired: Mapping[Fault, int]
    trace: Sequence[Event]
    evidence: Evidence
    lasted_s: float  #: from the first saga's start to the last one's end
    took_s: float  #: with starting and ending everything
    throughput: Sequence[int]  #: sagas that ended in each second since the load began
    recoveries: Sequence[Recovery]
    logged: Mapping[str, int]  #: warnings and errors of the services, by event
    record: Path | None = None  #: where everything about it is kept, if something did not hold

    @property
    def held(self) -> bool:
        """Whether every invariant held."""
        return not self.violations

    @property
    def silent(self) -> list[Fault]:
        """Faults that never struck: the run proves nothing about them."""
        return [fault for fault in self.setup.faults if not self.fired.get(fault)]

    @property
    def statuses(self) -> Counter[str]:
        """How many sagas ended how."""
        return Counter(saga["status"] for saga in self.evidence.sagas)


def run(
    setup: Setup,
    seed: int,
    progress: Callable[[str], None] = lambda _: None,
    *,
    onlooker: Onlooker | None = None,
    keep_logs: Path | None = None,
    records: Path = RECORDS,
) -> Result:
    """Run it. `progress` is told what happens, `onlooker` every half second how it goes.

    `keep_logs` is a directory for what the processes have said.

    If something does not hold, or the run itself fails, what is left of it is kept in a directory below `records`.
    Raises `Impossible`, `InvalidDefinition`, `NotReady`, `GaveUp`, and what `LocalServer.start` raises.
    """
    setup.check()
    for name in _OURS_ALONE:
        if os.environ.get(name):
            raise Impossible(f"{name} is set, but faults strike only servers that the run has started: unset it")
    begun = time.monotonic()
    directory = Path(tempfile.mkdtemp(prefix="saga-chaos-"))
    record = records / f"real-{setup.saga.partition(':')[2]}-{seed}-{directory.name.removeprefix('saga-chaos-')}"
    tune()
    try:
        world = World(setup, seed, directory, progress, onlooker)
        result = _result(world, _evidence_of(world), time.monotonic() - begun)
        return result if result.held else _kept(result, directory, record, progress)
    except Exception:
        keeping.keep_logs(directory, record)
        progress(f"the run itself failed; what its processes said: {record}")
        raise
    finally:
        if keep_logs is not None:
            keeping.keep_logs(directory, keep_logs)
        shutil.rmtree(directory, ignore_errors=True)


def _evidence_of(world: World) -> Evidence:
    with _ending_on_sigterm():
        try:
            return asyncio.run(world.run())
        finally:
            world.servers.kill()  # Once more: a thread may have started one since.


def _kept(result: Result, directory: Path, record: Path, progress: Callable[[str], None]) -> Result:
    words = f"{result.setup.saga}, seed {result.seed}, {len(result.violations)} violations\n{result.setup}"
    keeping.keep(words, result.violations, result.trace, result.evidence, record)
    keeping.keep_logs(directory, record / "logs")
    progress(f"what did not hold, and all there is about it: {record / keeping.VIOLATIONS}")
    return replace(result, record=record)


@contextmanager
def _ending_on_sigterm() -> Iterator[None]:
    """SIGTERM is Ctrl-C: the servers would outlive us. Only the main thread may say so; others leave it as it is."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _result(world: World, evidence: Evidence, took_s: float) -> Result:
    strikes = world.all_strikes()
    ends = [saga["ended_at"].timestamp() - world.begun for saga in evidence.sagas if saga["ended_at"]]
    return Result(
        seed=world.seed,
        setup=world.setup,
        violations=judge(evidence, world.setup.invariants),
        fired=Counter(strike.fault for strike in strikes),
        trace=[Event(strike.at - world.begun, strike.who, strike.fault.name, strike.about) for strike in strikes],
        evidence=evidence,
        lasted_s=max(ends, default=0.0),
        took_s=took_s,
        throughput=_per_second(ends),
        recoveries=recoveries(strikes, world.begun, evidence.sagas),
        logged=logged(world.logs),
    )


def _per_second(ends: Sequence[float]) -> list[int]:
    counted = Counter(int(end) for end in ends)
    return [counted[second] for second in range(max(counted, default=-1) + 1)]
