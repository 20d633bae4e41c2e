"""`saga chaos run --mode real`, as people type it."""

import json
import os
from pathlib import Path

import pytest

from support.commandline import CommandLine


@pytest.mark.skipif(not os.environ.get("SAGA_SOAK"), reason="a minute and a half: with SAGA_SOAK=1")
@pytest.mark.timeout(240)
def test_a_poisoned_bus_on_real_servers_loses_nothing_and_is_reported(server_directory: Path) -> None:
    line = CommandLine(server_directory)

    run = line.run("chaos", "run", "poison", "--mode", "real", "--json", "--report", "report", within_s=220)

    assert run.returncode == 0, run.stdout + run.stderr
    told = json.loads(run.stdout)["poison"]
    assert (told["held"], told["violations"]) == (True, [])
    assert all(fault["fired"] >= 2 for fault in told["faults"])
    assert 'class="curve"' in (server_directory / "report" / "report.html").read_text()


@pytest.mark.skipif(not os.environ.get("SAGA_SOAK"), reason="a minute and a half: with SAGA_SOAK=1")
@pytest.mark.timeout(240)
def test_a_mixed_storm_lasts_as_long_as_wanted_and_says_what_each_fault_costs(server_directory: Path) -> None:
    line = CommandLine(server_directory)
    paced = ("--for", "50s", "--rate", "8")

    run = line.run(
        "chaos", "run", "mixed-storm", "--mode", "real", *paced, "--json", "--report", "report", within_s=220
    )

    assert run.returncode == 0, run.stdout + run.stderr
    told = json.loads(run.stdout)["mixed-storm"]
    assert (told["started"], sum(told["sagas"].values()), told["violations"], told["record"]) == (400, 400, [], None)
    assert sum(cost["strikes"] for cost in told["recovery"]) == 3
    assert all(cost["median_s"] <= cost["worst_s"] for cost in told["recovery"])
    assert told["messages"] >= 400
    assert told["most_messages"] <= 100
    report = (server_directory / "report" / "report.html").read_text()
    assert all(f"<td>{cost['kind']}</td>" in report for cost in told["recovery"])


def test_a_real_run_that_is_not_known_is_a_usage_error(server_directory: Path) -> None:
    run = CommandLine(server_directory).run("chaos", "run", "--mode", "real")

    assert run.returncode == 2
    assert "A real run needs a scenario: a YAML file, or one of happy-baseline" in run.stderr


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--saga", "nowhere:nothing"], "there is no module 'nowhere'"),
        (["--participant", "sagas.order:order"], "is not a Participant"),
        (["--for", "2h"], "a run can last from 24 seconds to an hour"),
    ],
)
def test_what_is_not_there_is_a_usage_error(server_directory: Path, arguments: list[str], why: str) -> None:
    run = CommandLine(server_directory).run("chaos", "run", "poison", "--mode", "real", *arguments)

    assert run.returncode == 2
    assert why in run.stderr
    assert "Traceback" not in run.stderr


@pytest.mark.parametrize("command", [("run", "poison"), ("matrix",)])
def test_servers_of_others_are_never_struck(server_directory: Path, command: tuple[str, ...]) -> None:
    line = CommandLine(server_directory, {"SAGA_MONGO_URL": "mongodb://127.0.0.1:1/"})

    run = line.run("chaos", *command, "--mode", "real")

    assert run.returncode == 2
    assert "SAGA_MONGO_URL is set, but faults strike only servers that the run has started" in run.stderr
    assert "Traceback" not in run.stderr
