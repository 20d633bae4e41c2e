"""What a database full of sagas costs: each saga, each list, each look at the timers, and a long backlog.

python -m benchmarks.growth [--ended 100000,1000000] [--active 100000] [--due 100000] [--backlog 200000] [--sagas 4000]
                            [--to FILE]
"""

import argparse
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import SystemRandom
from statistics import median
from typing import Any
from uuid import uuid4

import httpx
import redis
import uvloop

from adapters.clock import SystemClock
from adapters.mongo import Mongo
from benchmarks.cases import IN_FLIGHT, Case
from benchmarks.figures import Found
from benchmarks.filling import Filling, filters
from benchmarks.record import GROWTH, about, keep, say
from benchmarks.suite import measured, sampled
from benchmarks.system import System, eventually, own_servers
from cli.bench.report import Load
from cli.tool_commands import Via
from participants.seed import Customer, Product, Seeder

NAME = "grown"
PRODUCT, CUSTOMER = Product("grown-product", 10**9, 1), Customer("grown-customer", 10**12)
ORDER = {"customer_id": CUSTOMER.id, "items": [{"product_id": PRODUCT.id, "quantity": 1}]}
ROOM = {"SAGA_MAX_ACTIVE": "10000000", "SAGA_MAX_BACKLOG": "10000000"}
LOOKS = 20  #: at each list
TOGETHER = 1_000  #: sagas in one request, and documents in one message to MongoDB
WITHIN_S = 3_600.0


class Growth:
    """One system that grows."""

    def __init__(self, system: System, sagas: int) -> None:
        self._system = system
        self._sagas = sagas
        self._filling = Filling(system.ground)
        uvloop.run(_seed(system))

    def close(self) -> None:
        self._filling.close()

    def costs(self, ended: list[int], active: int) -> Iterator[Found]:
        """What a saga and a list cost: in an empty database, with so many that have ended, with active ones too."""
        yield {"ended": 0, "active": 0, **self._cost()}
        like = self._one("ended-like")
        eventually("the first saga does not end", lambda: not self._going("ended-like"), WITHIN_S)
        oldest = self._filling.oldest(like, NAME, max(ended))
        there = 0
        for count in ended:
            say(f"filling up to {count:,} sagas that have ended")
            self._filling.ended(like, NAME, there, count - there)
            there = count
            yield {"ended": there + oldest, "active": 0, **self._cost()}
        with self._without_participants():
            like = self._one("active-like")
            say(f"adding {active:,} active ones")
            self._filling.asleep(like, f"{NAME}-active", active)
        yield {"ended": there + oldest, "active": active, **self._cost()}

    def due(self, count: int) -> Found:
        """So many timers at once: how long until each was handled, how long until all sagas have ended."""
        with self._without_participants():
            like = self._one("due-like")
            say(f"{count:,} timers are due")
            self._filling.due(like, f"{NAME}-due", count)
            added = self._added()
        return {"due": count, **self._drained(f"{NAME}-due", count, added)}

    def backlog(self, count: int) -> Found:
        """So many commands wait while a participant is away: how long it takes once it is back, and what was sent."""
        name = f"{NAME}-backlog"
        added = self._added()
        with self._without_participants():
            say(f"starting {count:,} sagas with no participant there")
            for first in range(0, count, TOGETHER):
                self._start([f"{name}-{number}" for number in range(first, min(first + TOGETHER, count))])
        return {"backlog": count, **self._drained(name, count, added)}

    def _drained(self, name: str, count: int, added: int) -> Found:
        """From now, when participants are being started, until all of these have ended; messages beyond `added`."""
        resent, begun = self._resent(), time.monotonic()
        handled_s: float | None = None
        with sampled(self._system, 1.0) as samples:
            while going := self._going(name):
                if handled_s is None and not self._overdue(name):
                    handled_s = round(time.monotonic() - begun, 1)
                if time.monotonic() - begun > WITHIN_S:
                    raise TimeoutError(f"{going} sagas do not end")
                time.sleep(1.0)
        seconds = time.monotonic() - begun
        most = (
            {kind: max(sample[kind] for sample in samples) for kind in samples[0] if kind != "at_s"} if samples else {}
        )
        return {
            "seconds": round(seconds, 1),
            "none_due_after_s": handled_s,
            "sagas_per_s": round(count / seconds, 1),
            "resent_per_saga": round((self._resent() - resent) / count, 3),
            "messages_per_saga": round((self._added() - added) / count, 3),
            "most_rss_mib": most,
        }

    def _cost(self) -> Found:
        case = Case("growth", Load(Via.BATCH, IN_FLIGHT), self._sagas)
        found = measured(case, self._system, self._system.scale(1))
        say(f"  {found['sagas_per_s']} sagas/s, CPU {found['cpu_ms']}")
        kept = ("sagas_per_s", "p50_ms", "p99_ms", "cpu_ms", "rss_mib")
        return {name: found[name] for name in kept} | {"lists_ms": self._lists()}

    def _lists(self) -> dict[str, Found]:
        return {what: self._looks(given) for what, given in filters(NAME)}

    def _looks(self, given: dict[str, str]) -> Found:
        took = []
        with self._client() as client:
            for _ in range(LOOKS):
                begun = time.perf_counter()
                answer = client.get("/v1/sagas", params=given)
                took.append((time.perf_counter() - begun) * 1_000)
                answer.raise_for_status()
        return {"median": round(median(took), 1), "most": round(max(took), 1), "items": len(answer.json()["items"])}

    def _one(self, saga_id: str) -> str:
        self._start([saga_id])
        return saga_id

    def _start(self, ids: list[str]) -> None:
        with self._client() as client:
            sagas = [{"saga": "order", "id": saga_id, "data": ORDER} for saga_id in ids]
            client.post("/v1/sagas:batch", json={"sagas": sagas}).raise_for_status()

    def _client(self) -> httpx.Client:
        return httpx.Client(base_url=next(iter(self._system.orchestrators)), timeout=60, trust_env=False)

    @contextmanager
    def _without_participants(self) -> Iterator[None]:
        self._system.stop_participants()
        yield
        self._system.start_participants()

    def _going(self, name: str) -> int:
        query = {"_id": {"$gte": name, "$lt": f"{name}\x7f"}, "wake_at": {"$exists": True}}
        return self._filling.sagas.count_documents(query, hint="wake_at")

    def _overdue(self, name: str) -> bool:
        query = {"_id": {"$gte": name, "$lt": f"{name}\x7f"}, "revision": 1, "wake_at": {"$lte": _now()}}
        return self._filling.sagas.find_one(query, hint="wake_at") is not None

    def _resent(self) -> float:
        return self._system.counted("saga_commands_resent_total")

    def _added(self) -> int:
        """Entries that were ever added to any stream."""
        ground = self._system.ground
        with redis.Redis.from_url(ground.redis_url or "", decode_responses=True) as store:
            names = [name for name in store.scan_iter(f"{ground.stream_prefix}*") if store.type(name) == "stream"]
            return sum(int(store.xinfo_stream(name)["entries-added"]) for name in names)


def _now() -> Any:
    return SystemClock().now()


async def _seed(system: System) -> None:
    mongo = Mongo.connect(system.ground.mongo_url)
    seeder = Seeder(mongo, SystemClock(), SystemRandom(), prefix=system.ground.database_prefix)
    await seeder.product(PRODUCT)
    await seeder.customer(CUSTOMER)
    await mongo.close()


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ended", default="100000,1000000", help="how many sagas have ended, one after the other")
    parser.add_argument("--active", type=int, default=100_000)
    parser.add_argument("--due", type=int, default=100_000)
    parser.add_argument("--backlog", type=int, default=200_000)
    parser.add_argument("--sagas", type=int, default=4_000, help="of each measurement")
    parser.add_argument("--to", type=Path, help="the file; default: benchmarks/results/growth/{date}-{n}cpu.json")
    return parser.parse_args()


def main() -> None:
    given = options()
    with own_servers() as (servers, directory):
        found = about(servers) | {"sagas": given.sagas, "in_flight": IN_FLIGHT}
        with System(servers, directory, f"g{uuid4().hex[:6]}", **ROOM) as system:
            growth = Growth(system, given.sagas)
            found["costs"] = list(growth.costs([int(count) for count in given.ended.split(",")], given.active))
            found["due"] = growth.due(given.due)
            found["backlog"] = growth.backlog(given.backlog)
            growth.close()
    keep(found, GROWTH, given.to)


if __name__ == "__main__":
    main()
