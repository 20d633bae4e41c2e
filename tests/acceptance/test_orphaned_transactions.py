"""A process killed in the middle of a transaction leaves its locks behind; that costs seconds, and compensates nobody."""

import subprocess
import sys
import time
from pathlib import Path

import pytest
from support.checker import violations
from support.running import running, say

from adapters.servers import MongoServer, RedisServer

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
        subprocess.run([sys.executable, str(ORPHAN), own_mongo.url, database, collection, key], check=False)
        died = time.time()
        await system.place("o", 20, per_s=20, order=BOOTS)
        assert await system.all_ended(20, within_s=60)
        assert system.statuses() == {"completed": 20}
        assert violations(own_mongo.url, system.log) == []
        say(capsys, f"{collection} were free again {system.completed_after(died) or 0:.1f} s after the death")
