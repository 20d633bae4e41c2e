"""What is seen of failure runs while they run: on a terminal all that counts, elsewhere nothing."""

import io
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console, RenderableType

from chaos.real.catalogue import BY_NAME
from chaos.real.looking import Look
from chaos.real.plan import Strike
from chaos.real.setup import Setup
from cli.chaos.progress import Campaign, RealRun
from support.commandline import CommandLine
from support.saga_command import saga
from support.terminal import terminal

KILL, FLUSH = BY_NAME["kill orchestrator"], BY_NAME["flush Redis"]


def drawn(board: RenderableType) -> list[str]:
    """The lines of a board."""
    console = Console(file=io.StringIO(), width=240)
    console.print(board)
    assert isinstance(console.file, io.StringIO)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


def test_of_simulated_runs_it_is_seen_how_many_what_struck_and_what_did_not_hold() -> None:
    board = Campaign("swarm", 40, "seeds")
    board.add(10, sagas=1_200, struck=34, violations=0)
    assert "0 violations" in drawn(board)[1]
    board.add(10, sagas=300, struck=1_000, violations=1)

    bar, counts = drawn(board)

    assert bar.startswith("swarm ")
    assert "20/40 seeds" in bar
    assert counts.startswith("1,500 sagas, ")
    assert counts.endswith("1,034 faults struck; 1 violation")


def test_of_a_real_run_its_phase_its_sagas_and_the_newest_strikes_are_seen() -> None:
    now = 1_000.0
    setup = Setup(faults=[FLUSH, replace(KILL, times=5)], sagas=600)
    board = RealRun("wires (2 of 9)", setup, violations=2, now=lambda: now)
    assert drawn(board) == ["wires (2 of 9)  0:00  servers and services are starting"]

    now += 70.0
    strikes = [Strike(KILL, f"orchestrator-{n}", now - 100 + n) for n in range(4)] + [Strike(FLUSH, "Redis", now)]
    board.see(Look("under load", now - 10, {"running": 3, "completed": 40, "compensated": 10}, now - 1, strikes))

    head, sagas, last, struck = drawn(board)
    assert head == "wires (2 of 9)  1:10  under load; before: 2 violations"
    assert sagas.startswith("53 of 600 sagas started, 50 ended, 5.0 a second: 3 running, 40 completed, 10 compensated")
    assert last == "the last one was completed 1.0 s ago"
    assert struck.startswith(
        "5 of 6 faults struck: flush Redis (Redis, 0 s ago); kill orchestrator (orchestrator-3, 97 s"
    )
    assert "orchestrator-0" not in struck


QUICK = ("run", "--seeds", "40", "--processes", "1")


async def test_on_a_terminal_the_board_is_there_as_long_as_it_runs(tmp_path: Path) -> None:
    with terminal(CommandLine(tmp_path), "chaos", *QUICK) as screen:
        await screen.sees("/40 seeds", within_s=60)
        await screen.sees("faults struck; 0 violations", within_s=60)
        await screen.sees("40 runs, ", within_s=60)
        assert await screen.ends() == 0


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_elsewhere_nothing_of_it_is_there(options: tuple[str, ...]) -> None:
    result = saga("chaos", "run", "--seeds", "2", "--processes", "1", *options)

    assert result.exit_code == 0
    assert result.stderr == ""
    assert len(result.stdout.splitlines()) == 1


async def test_json_on_a_terminal_is_json_alone(tmp_path: Path) -> None:
    with terminal(CommandLine(tmp_path), "chaos", *QUICK, "--json") as screen:
        await screen.sees('"held": true', within_s=60)
        assert await screen.ends() == 0
        assert screen.seen.startswith('{"held"')
