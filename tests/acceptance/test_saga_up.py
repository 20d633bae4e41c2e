"""`saga up` and its relatives as a person runs them: real processes, real signals, real databases."""

import json
import signal
import subprocess
from pathlib import Path

import pytest

from support.commandline import BOOTS, END_WITHIN_S, CommandLine, alive, command

ORDER = ("start", "order", "--data", json.dumps(BOOTS))


@pytest.fixture
def line(server_directory: Path) -> CommandLine:
    return CommandLine(server_directory)


def database_pids(line: CommandLine) -> list[int]:
    return [json.loads((line.data / name / "state.json").read_text())["pid"] for name in ("mongo", "redis")]


async def test_what_was_started_is_still_there_after_ctrl_c_and_up_again(line: CommandLine) -> None:
    with line.running("up", "--port", "0") as up:
        await up.is_up()
        waited = line.run(*ORDER, "--wait", "30s", "--json")
        assert (waited.returncode, json.loads(waited.stdout)["status"]) == (0, "completed")
        refused = line.run("up", "--port", "0")
        databases = database_pids(line)
        assert up.end(signal.SIGINT) == 0

    saga = json.loads(waited.stdout)
    assert refused.returncode == 1
    assert "uses" in refused.stderr
    assert not line.service()
    assert not any(map(alive, databases))

    with line.running("up", "--port", "0") as up:
        await up.is_up()
        assert json.loads(line.run("show", saga["id"], "--json").stdout) == saga
        assert up.end(signal.SIGTERM) == 0


async def test_an_order_in_flight_when_everything_is_killed_completes_after_up_again(line: CommandLine) -> None:
    with line.running("up", "--port", "0") as up:
        await up.is_up()
        started = line.run(*ORDER, "--json")
        assert up.end(signal.SIGKILL) == -signal.SIGKILL
    databases = database_pids(line)
    assert all(map(alive, databases)), "databases outlive their starter"

    with line.running("up", "--port", "0") as up:
        await up.is_up()
        assert database_pids(line) == databases, "and are adopted"
        followed = line.run("show", json.loads(started.stdout)["id"], "--follow")
        assert followed.returncode == 0, followed.stdout
        assert up.end() == 0
    assert not any(map(alive, databases)), "and stopped in the end"


async def test_each_part_by_itself_makes_a_whole(line: CommandLine) -> None:
    with line.running("servers") as servers:
        await servers.says("Ctrl-C stops them")
        exports = [text.removeprefix("export ") for text in servers.said.splitlines() if text.startswith("export ")]
        line.environment = {name: value.strip("'") for name, _, value in (text.partition("=") for text in exports)}
        assert line.environment.keys() == {"SAGA_MONGO_URL", "SAGA_REDIS_URL"}
        with line.running("participant", "payment"), line.running("serve", "--port", "0") as serving:
            await serving.says("answers at ")
            url = serving.said.partition("answers at ")[2].split()[0].rstrip(".")
            line.environment["SAGA_URL"] = url
            assert line.run("seed").returncode == 0
            waiting = line.run(*ORDER, "--wait", "10ms", "--id", "one")
            assert waiting.returncode == 6
            assert "inventory" in waiting.stdout
        assert line.run("ls").returncode == 1
        line.environment.pop("SAGA_URL")
        with line.running("up", "--port", "0") as up:
            await up.is_up()
            assert "as SAGA_MONGO_URL says" in up.said
            assert line.run("show", "one", "--follow").returncode == 0
        assert servers.end() == 0


@pytest.mark.parametrize("variable", ["SAGA_MAX_BATCH", "SAGA_HTTP_PORT"])
def test_a_setting_that_can_not_work_is_named(line: CommandLine, mongo_url: str, redis_url: str, variable: str) -> None:
    line.environment = {"SAGA_REDIS_URL": redis_url, "SAGA_MONGO_URL": mongo_url, variable: "-1"}

    result = line.run("up")

    assert result.returncode == 2
    assert variable in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("command", [("serve",), ("participant", "inventory")])
def test_services_without_databases_say_which_variable_is_missing(line: CommandLine, command: tuple[str, ...]) -> None:
    result = line.run(*command)

    assert result.returncode == 2
    assert "SAGA_MONGO_URL" in result.stderr
    assert "Traceback" not in result.stderr


async def test_a_port_that_is_taken_is_named(line: CommandLine, redis_url: str, mongo_url: str) -> None:
    line.environment = {"SAGA_REDIS_URL": redis_url, "SAGA_MONGO_URL": mongo_url}
    taken = redis_url.rpartition(":")[2].partition("/")[0]

    result = line.run("up", "--port", taken)

    assert result.returncode == 1
    assert "--port" in result.stderr


async def test_a_second_ctrl_c_ends_at_once_and_who_comes_next_adopts_the_databases(line: CommandLine) -> None:
    with line.running("up", "--port", "0") as up:
        await up.is_up()
        up.process.send_signal(signal.SIGINT)
        await up.says("Ending;")
        assert up.end(signal.SIGINT) == 130

    databases = database_pids(line)
    assert line.run("servers", "--detach").returncode == 0
    assert database_pids(line) == databases
    with line.running("servers") as servers:
        await servers.says("Ctrl-C stops them")
        assert servers.end(signal.SIGTERM) == 0
    assert not any(map(alive, databases))


def test_ctrl_c_ends_it_though_nobody_reads_what_it_says_any_more(line: CommandLine) -> None:
    """As in `saga up 2>&1 | tee log`, where Ctrl-C ends tee first."""
    with subprocess.Popen(
        command(["up", "--port", "0"]),
        cwd=line.directory,
        env=line.variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as up:
        assert up.stdout is not None
        try:
            assert any("Ctrl-C ends everything" in said for said in up.stdout)
            up.stdout.close()
            up.send_signal(signal.SIGINT)
            up.wait(END_WITHIN_S)
        finally:
            up.kill()
    assert not line.service()
    assert not any(map(alive, database_pids(line)))
