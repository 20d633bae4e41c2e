"""`saga up --processes`: each service a child that may die, and none that outlives its supervisor."""

import json
import os
import signal
from pathlib import Path
from uuid import uuid4

import pytest

from support.commandline import BOOTS, CommandLine, alive
from support.waiting import eventually

NAMES = {"orchestrator", "inventory", "payment", "orders"}


@pytest.fixture
def line(server_directory: Path, mongo_url: str, redis_url: str) -> CommandLine:
    prefix = f"t{uuid4().hex[:8]}"
    return CommandLine(
        server_directory,
        {
            "SAGA_MONGO_URL": mongo_url,
            "SAGA_REDIS_URL": redis_url,
            "SAGA_DATABASE_PREFIX": f"{prefix}_",
            "SAGA_STREAM_PREFIX": f"{prefix}.",
        },
    )


async def test_a_killed_service_is_restarted_and_orders_go_on(line: CommandLine) -> None:
    with line.running("up", "--processes", "--port", "0") as up:
        await up.is_up()
        before = line.processes()
        assert before.keys() == NAMES

        for name in ("inventory", "orchestrator"):
            os.kill(before[name]["pid"], signal.SIGKILL)
            await up.says(f"{name} was restarted")
            assert line.processes()[name]["restarts"] == 1

        await eventually(lambda: line.run("ls").returncode == 0, within_s=30)
        ordered = line.run("start", "order", "--data", json.dumps(BOOTS), "--wait", "60s")
        assert ordered.returncode == 0, ordered.stderr

        children = [told["pid"] for told in line.processes().values()]
        assert up.end(signal.SIGINT) == 0
        assert not any(map(alive, children))
        assert not line.processes()


async def test_children_end_when_their_supervisor_is_killed(line: CommandLine) -> None:
    with line.running("up", "--processes", "--port", "0") as up:
        await up.is_up()
        children = [told["pid"] for told in line.processes().values()]
        assert up.end(signal.SIGKILL) == -signal.SIGKILL

        await eventually(lambda: not any(map(alive, children)), within_s=30)


def test_a_service_that_never_comes_up_ends_it_all(line: CommandLine) -> None:
    (line.directory / "moody.py").write_text(
        "import sys\nfrom sagas.order import order\n"
        "if 'serve' in sys.argv:\n    raise RuntimeError('not in this process')\n"
    )
    line.environment["SAGA_DEFINITIONS"] = "moody"

    result = line.run("up", "--processes", "--port", "0")

    assert result.returncode == 1
    assert "not in this process" in result.stderr
    assert result.stderr.endswith("orchestrator does not come up; what it says is above.\n")


async def test_sagas_named_on_the_command_line_are_known_to_the_orchestrators_process(line: CommandLine) -> None:
    with line.running("up", "--processes", "--port", "0", "--saga", "examples.parcel") as up:
        await up.is_up()

        for saga, data in (("parcel", {"address": "here", "weight_g": 1}), ("order", BOOTS)):
            started = line.run("start", saga, "--data", json.dumps(data))
            assert started.returncode == 0, started.stderr
