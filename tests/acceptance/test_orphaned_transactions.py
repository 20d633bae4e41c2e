"""A process killed in a transaction leaves its locks behind; that costs seconds, and compensates nobody."""

import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from adapters.servers import MongoServer, RedisServer
from support.checker import violations
from support.running import later, running, say

ORPHAN = Path(__file__).parents[1] / "support" / "orphan.py"
BOOTS = {"customer_id": "alice", "items": [{"product_id": "boots", "quantity": 1}]}


@pytest.mark.parametrize(
    ("database", "collection", "key"),
    [("saga_inventory", "products", "boots"), ("saga_payment", "accounts", "alice")],
)
async def test_the_locks_of_a_dead_participant_compensate_nobody(
    tmp_path: Path,
    own_mongo: MongoServer,
    own_redis: RedisServer,
    capsys: pytest.CaptureFixture[str],
    database: str,
    collection: str,
    key: str,
) -> None:
    with running(tmp_path, own_mongo.url, own_redis.url) as system:
        died = await later(0, partial(_die_holding, own_mongo.url, database, collection, key))
        await system.place("o", 20, per_s=20, order=BOOTS)
        assert await system.all_ended(20, within_s=60)
        assert system.statuses() == {"completed": 20}
        assert violations(own_mongo.url, system.log) == []
        say(capsys, f"{collection} were free again {system.completed_after(died) or 0:.1f} s after the death")


def _die_holding(*where: str) -> float:
    subprocess.run([sys.executable, str(ORPHAN), *where], check=False)
    return time.time()
