"""One participant as FastStream's command line runs it: `faststream run participants.inventory:app`."""

import os
import subprocess
import sys
from typing import Any
from uuid import uuid4

import pytest
from redis import Redis

RUN = "import asyncio, participants.inventory as module; asyncio.run(module.app.run())"


@pytest.mark.parametrize("how", [["-c", RUN], ["-m", "participants.app", "inventory"]])
def test_without_databases_it_says_what_to_set(how: list[str]) -> None:
    given = {name: value for name, value in os.environ.items() if not name.startswith("SAGA_")}
    ended = subprocess.run([sys.executable, *how], env=given, capture_output=True, text=True, timeout=60, check=False)

    assert ended.returncode != 0
    assert "Set SAGA_MONGO_URL and SAGA_REDIS_URL" in ended.stderr


def test_a_participant_runs_as_a_faststream_application(mongo_url: str, redis_url: str) -> None:
    name = f"t{uuid4().hex[:8]}"
    given = {"SAGA_MONGO_URL": mongo_url, "SAGA_REDIS_URL": redis_url}
    given |= {"SAGA_STREAM_PREFIX": f"{name}.", "SAGA_DATABASE_PREFIX": f"{name}_"}
    command = {"id": "s/reserve-stock/action", "type": "inventory.reserve-stock", "data": '{"items":[]}'}
    client: Any = Redis.from_url(redis_url, decode_responses=True, socket_timeout=40, protocol=2)
    with subprocess.Popen([sys.executable, "-c", RUN], env={**os.environ, **given}) as process:
        try:
            client.xadd(f"{name}.commands.inventory", {**command, "replyto": f"{name}.replies"})
            ((_, ((_, reply),)),) = client.xread({f"{name}.replies": "0"}, block=30_000)
            assert (reply["causationid"], reply["outcome"]) == ("s/reserve-stock/action", "succeeded")
            process.terminate()
            assert process.wait(20) == 0
        finally:
            process.kill()
            client.close()
