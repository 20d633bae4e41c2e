"""Real failure runs: real servers, services as processes, faults under load; nothing is lost or done twice.

The default run is a short one; `SAGA_SOAK=1` has each fault of the catalogue strike.
"""

import asyncio
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from adapters.process import PLANNED_FAULTS
from chaos.faults import Fault
from chaos.matrix import Verdict
from chaos.real.catalogue import BY_NAME
from chaos.real.looking import Look
from chaos.real.matrix import groups, verdicts
from chaos.real.run import Result, run
from chaos.real.setup import Impossible, Setup
from support.running import say
from support.source import ROOT
from support.waiting import eventually

soak = pytest.mark.skipif(os.environ.get("SAGA_SOAK") != "1", reason="a long run: SAGA_SOAK=1")

PURCHASE = "support.purchase:purchase"  #: whose participants nobody has written
KILLS = ("kill orchestrator", "kill participant", "kill after participant commit", "kill after orchestrator save")
SHORT = (
    "lose command",
    "delay reply",
    "flush Redis",
    "refuse orchestrator save",
    "lose answers on wire from participants to Redis",
    "fail after participant handle",
    "kill after participant handle",
)


def named(*names: str) -> list[Fault]:
    return [BY_NAME[name] for name in names]


def told(result: Result) -> str:
    """What came of a run, for whoever wants to know why it failed."""
    lines = [*map(str, result.violations[:20]), *(f"never struck: {fault.name}" for fault in result.silent)]
    return "\n".join([f"seed {result.seed}, {dict(result.statuses)}", *lines])


def recoveries(result: Result) -> str:
    """How soon sagas went on after each fault."""
    waits = sorted((each.seconds, each.fault.name) for each in result.recoveries if each.seconds is not None)
    worst = ", ".join(f"{name} {seconds:.1f} s" for seconds, name in waits[-3:])
    return f"{len(waits)} faults, median {waits[len(waits) // 2][0]:.1f} s until sagas completed again; worst: {worst}"


@pytest.mark.timeout(180)
def test_kills_a_wiped_bus_and_lost_answers_cost_time_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    setup = Setup(faults=named(*KILLS, *SHORT), sagas=150, per_s=12, cancel_rate=0.1, external=["charge-payment"])
    looks: list[Look] = []
    result = run(setup, seed=1, onlooker=looks.append)

    assert result.held, told(result)
    assert not result.silent, told(result)
    assert sum(result.throughput) == sum(result.statuses.values()) == 150
    assert result.statuses.keys() == {"completed", "compensated"}
    assert result.evidence.balances["inventory", "hot"] >= 0
    assert result.evidence.messages.keys() == {saga["_id"] for saga in result.evidence.sagas}
    assert sum(result.evidence.messages.values()) >= 2 * 150  # A lost answer leaves some uncounted.
    say(capsys, f"{result.took_s:.0f} s: {recoveries(result)}")
    assert {"starting", "under load", "healed"} <= {look.phase for look in looks}
    assert looks[-1].statuses["completed"] > 0
    assert len(looks[-1].strikes) == len(setup.faults)
    assert max(look.completed_at or 0 for look in looks) > looks[-1].begun > 0


def test_it_never_touches_servers_that_it_has_not_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAGA_MONGO_URL", "mongodb://127.0.0.1:1/")

    with pytest.raises(Impossible, match="unset it"):
        run(Setup(), seed=0)


def running_in(directory: Path) -> list[str]:
    """The processes that work there."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if process.joinpath("cwd").readlink().is_relative_to(directory):
                found.append(process.joinpath("cmdline").read_text())
    return found


@pytest.mark.skipif(not Path("/proc/self/cwd").exists(), reason="looks for processes in /proc")
@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=soak)])
def test_a_run_that_is_interrupted_leaves_nothing_behind(number: signal.Signals, tmp_path: Path) -> None:
    code = """
import signal
from chaos.real.run import run
from chaos.real.setup import Setup
signal.signal(signal.SIGINT, signal.default_int_handler)  # Whoever is started in the background ignores it.
run(Setup(sagas=600, per_s=10, orchestrators=1, instances=1), 0, lambda said: print(said, flush=True))
"""
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-c", code]
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"servers are up; starting the services\n"
        asyncio.run(eventually(lambda: len(running_in(tmp_path)) >= 6))  # Two servers, four services.

        process.send_signal(number)

        assert process.wait(40) != 0
    assert running_in(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


PROGRAMS = (
    ["-m", "cli.main", "serve"],
    ["-m", "participants.app", "inventory"],
)


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: " ".join(program[1:]))
def test_no_service_starts_where_faults_are_planned(program: list[str]) -> None:
    urls = {"SAGA_MONGO_URL": "mongodb://127.0.0.1:1/", "SAGA_REDIS_URL": "redis://127.0.0.1:1/0"}
    environment = {**os.environ, **urls, PLANNED_FAULTS: "/plan"}
    ended = subprocess.run(
        [sys.executable, *program], env=environment, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )

    assert ended.returncode in (1, 2)
    assert f"{PLANNED_FAULTS} is set" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_the_launcher_is_for_failure_runs_only() -> None:
    program = [sys.executable, "-m", "chaos.real.launch", "a", "orchestrator", "--saga", "sagas.order:order"]
    environment = {name: value for name, value in os.environ.items() if name != PLANNED_FAULTS}
    ended = subprocess.run(program, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)

    assert ended.returncode == 1
    assert "only a failure run starts this" in ended.stderr


@soak
@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("group", groups(Setup()))
def test_each_fault_of_a_group_costs_time_and_nothing_else(group: str, capsys: pytest.CaptureFixture[str]) -> None:
    soaked(capsys, groups(Setup(per_s=10, cancel_rate=0.05))[group])


@soak
@pytest.mark.timeout(900)
@pytest.mark.parametrize("batch", [True, False])
def test_stand_ins_play_any_saga(batch: bool, capsys: pytest.CaptureFixture[str]) -> None:
    faults = named(*KILLS, *SHORT)
    soaked(capsys, Setup(saga=PURCHASE, faults=faults, sagas=500, per_s=10, batch=batch))


def soaked(capsys: pytest.CaptureFixture[str], setup: Setup) -> None:
    result = run(setup, seed=2)

    say(capsys, f"{result.took_s:.0f} s, {dict(result.statuses)}: {recoveries(result)}")
    assert result.held, told(result)
    assert set(verdicts(result).values()) == {Verdict.GREEN}, told(result)
