"""What a person at a terminal sees of a saga: a tree that lives, colours, questions; and Ctrl-C."""

import json
import re
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from support.commandline import BOOTS, CommandLine, Running, command
from support.running import free_port
from support.terminal import terminal

RUNNING = re.compile(r"charge-payment +running +([\d.]+) s …")


@pytest.fixture
def line(server_directory: Path) -> CommandLine:
    return CommandLine(server_directory)


def participant(line: CommandLine, name: str) -> AbstractContextManager[Running]:
    return line.running_program(name, command(["participant", name]))


@pytest.mark.slow
@pytest.mark.timeout(180)
async def test_a_saga_is_followed_while_its_participants_come_up(line: CommandLine) -> None:
    port = str(free_port())
    with line.running("servers") as servers:
        await servers.says("Ctrl-C stops them")
        line.environment |= dict(re.findall(r"^export (\w+)='(.*)'$", servers.said, re.MULTILINE))
        line.environment["SAGA_URL"] = f"http://127.0.0.1:{port}"
        assert line.run("seed").returncode == 0
        await follow_an_order(line, port)


async def follow_an_order(line: CommandLine, port: str) -> None:
    with line.running("serve", "--port", port) as service, participant(line, "inventory"):
        await service.says("answers at")
        saga_id = line.run("start", "order", "--data", json.dumps(BOOTS)).stdout.strip()

        with terminal(line, "show", saga_id, "--follow") as screen:
            await screen.sees("✔ reserve-stock")
            await screen.sees("▶ charge-payment")
            await screen.sees("Waits since")
            await screen.shows(lambda: len(set(RUNNING.findall(screen.seen))) > 3)  # Time runs while nothing happens.
            with participant(line, "payment"), participant(line, "orders"):
                await screen.sees("✔ confirm")
                assert await screen.ends() == 0

    assert "\x1b[32m" in screen.raw, "green"
    last = screen.seen[screen.seen.rindex(f"order {saga_id}") :]
    assert [text.split()[2] for text in last.splitlines()[1:4]] == ["reserve-stock", "charge-payment", "confirm"]
    assert "…" not in last
    assert "Traceback" not in screen.seen


@pytest.mark.slow
@pytest.mark.timeout(180)
async def test_operators_are_asked_and_ctrl_c_ends(line: CommandLine) -> None:
    with line.running("up", "--port", "0") as up:
        await up.is_up()
        line.environment["SAGA_URL"] = line.service()["url"]
        for number in range(3):
            start = ("start", "order", "--data", json.dumps(BOOTS), "--id", f"o{number}", "--wait", "20s")
            assert line.run(*start).returncode == 0

        with terminal(line, "cancel", "--saga", "order", "--reason", "recall") as screen:
            await screen.sees("Cancel 3 sagas (order)? [y/N]:")
            screen.type("n\n")
            assert await screen.ends() == 1
            assert "Nothing was done." in screen.seen

        with terminal(line, "cancel", "--saga", "order", "--reason", "recall") as screen:
            await screen.sees("[y/N]:")
            screen.type("y\n")
            assert await screen.ends() == 1
            assert all(f"o{number}: The saga is completed" in screen.seen for number in range(3)), screen.seen
            assert "0 of 3" in screen.seen

        start_another = ("start", "order", "--data", json.dumps(BOOTS), "--wait", "20s")
        with terminal(line, "watch") as screen:
            await screen.sees("Watching; Ctrl-C ends it.")
            await screen.shows(lambda: line.run(*start_another).returncode == 0 and "✔ completed" in screen.seen)
            screen.type("\x03")
            assert await screen.ends() == 0
            assert "Traceback" not in screen.seen
