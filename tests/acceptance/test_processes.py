"""`saga up --processes`: each service a child that may die, and none that outlives its supervisor."""

import json
import os
import signal
from pathlib import Path

from support.commandline import BOOTS, CommandLine, alive
from support.waiting import eventually

NAMES = {"orchestrator", "inventory", "payment", "orders"}


async def test_a_killed_service_is_restarted_and_orders_go_on(
    server_directory: Path, mongo_url: str, redis_url: str
) -> None:
    prefix = f"t{os.getpid()}-{server_directory.name[-8:]}"
    line = CommandLine(
        server_directory,
        {
            "SAGA_MONGO_URL": mongo_url,
            "SAGA_REDIS_URL": redis_url,
            "SAGA_DATABASE_PREFIX": f"{prefix}_",
            "SAGA_STREAM_PREFIX": f"{prefix}.",
        },
    )
    with line.running("up", "--processes", "--port", "0") as up:
        await up.is_up()
        before = line.processes()
        assert before.keys() == NAMES

        for name in ("inventory", "orchestrator"):
            os.kill(before[name]["pid"], signal.SIGKILL)
            await up.says(f"{name} was restarted")
            await eventually(lambda name=name: line.processes()[name]["restarts"] == 1)  # type: ignore[misc]

        url = line.service()["url"]
        await up.says(f"orchestrator answers at {url}")
        await eventually(lambda: line.run("ls").returncode == 0, within_s=30)
        ordered = line.run("start", "order", "--data", json.dumps(BOOTS), "--wait", "60s")
        assert ordered.returncode == 0, ordered.stderr

        children = [told["pid"] for told in line.processes().values()]
        assert up.end(signal.SIGINT) == 0
        assert not any(map(alive, children))
        assert not line.processes()


async def test_children_end_when_their_supervisor_is_killed(
    server_directory: Path, mongo_url: str, redis_url: str
) -> None:
    prefix = f"t{os.getpid()}-{server_directory.name[-8:]}"
    line = CommandLine(
        server_directory,
        {"SAGA_MONGO_URL": mongo_url, "SAGA_REDIS_URL": redis_url, "SAGA_DATABASE_PREFIX": f"{prefix}_"},
    )
    with line.running("up", "--processes", "--port", "0") as up:
        await up.is_up()
        children = [told["pid"] for told in line.processes().values()]
        assert up.end(signal.SIGKILL) == -signal.SIGKILL

        await eventually(lambda: not any(map(alive, children)), within_s=30)
