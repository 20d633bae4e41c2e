"""A participant with a Redis client and SQLite, nothing of this project, takes part in a saga of the user's own."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from adapters.servers import MongoServer, RedisServer
from support.running import running

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.mark.timeout(180)
def test_a_foreign_participant_takes_part(tmp_path: Path, own_mongo: MongoServer, own_redis: RedisServer) -> None:
    source = EXAMPLES.joinpath("courier.py").read_text()
    assert not any(line.startswith(("from sagas", "import sagas", "from participants")) for line in source.splitlines())
    definitions = {"SAGA_DEFINITIONS": "sagas.order,examples.parcel"}
    with running(tmp_path, own_mongo.url, own_redis.url, **definitions) as system:
        courier = subprocess.Popen(
            [sys.executable, str(EXAMPLES / "courier.py"), own_redis.url, str(tmp_path / "courier.db")]
        )
        try:
            sent = _send(system.url, "p-1", address="Main Street 1", weight_g=500)
            assert (sent["status"], sent["data"]["booking"]) == ("completed", "for Main Street 1")
            heavy = _send(system.url, "p-2", address="Main Street 1", weight_g=50_000)
            assert (heavy["status"], heavy["failure"]["code"]) == ("compensated", "too-heavy")
            nobody = _send(system.url, "p-3", address="nobody", weight_g=500)
            assert nobody["status"] == "compensated"
            assert [step["status"] for step in nobody["steps"]] == ["compensated", "rejected"]
        finally:
            courier.kill()
            courier.wait()


def _send(url: str, saga_id: str, **data: Any) -> dict[str, Any]:
    body = {"saga": "parcel", "id": saga_id, "data": data}
    answer = httpx.post(f"{url}/v1/sagas", json=body, headers={"Prefer": "wait=20"}, timeout=30)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found
