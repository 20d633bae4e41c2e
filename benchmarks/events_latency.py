"""How soon a listener hears of a saga's end. Start a service with `saga up`, then run this.

python -m benchmarks.events_latency [--url http://127.0.0.1:8700] [--sagas 200] [--pause-ms 50] [--listeners 1]

Counted from the moment at which the engine decided the end, so the write itself is included; one clock, one machine.
"""

import argparse
import asyncio
import json
import time
from collections.abc import AsyncIterator
from datetime import datetime
from statistics import median
from typing import Any

import httpx

ORDER = {"customer_id": "alice", "items": [{"product_id": "boots", "quantity": 1}]}
WITHIN_S = 30.0


async def ends(client: httpx.AsyncClient, begun: asyncio.Event) -> AsyncIterator[tuple[str, float]]:
    """Each end as it is heard: the saga, and milliseconds since it was decided."""
    async with client.stream("GET", "/v1/sagas/events", params={"status": "completed"}) as answer:
        answer.raise_for_status()
        async for line in answer.aiter_lines():
            begun.set()
            if line.startswith("data: "):
                told: dict[str, Any] = json.loads(line.removeprefix("data: "))
                yield told["saga_id"], (time.time() - datetime.fromisoformat(told["at"]).timestamp()) * 1_000


async def listen(client: httpx.AsyncClient, begun: asyncio.Event, wanted: int) -> list[float]:
    heard: list[float] = []
    async for _, late_ms in ends(client, begun):
        heard.append(late_ms)
        if len(heard) == wanted:
            break
    return heard


async def measure(options: argparse.Namespace) -> list[float]:
    limits = httpx.Limits(max_connections=options.listeners + 10)
    async with httpx.AsyncClient(base_url=options.url, timeout=WITHIN_S, limits=limits, trust_env=False) as client:
        begun = [asyncio.Event() for _ in range(options.listeners)]
        listening = [asyncio.create_task(listen(client, each, options.sagas)) for each in begun]
        await asyncio.gather(*(each.wait() for each in begun))
        for _ in range(options.sagas):
            answer = await client.post("/v1/sagas", json={"saga": "order", "data": ORDER})
            answer.raise_for_status()
            await asyncio.sleep(options.pause_ms / 1_000)
        heard = await asyncio.wait_for(asyncio.gather(*listening), WITHIN_S)
    return [late_ms for each in heard for late_ms in each]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", default="http://127.0.0.1:8700")
    parser.add_argument("--sagas", type=int, default=200)
    parser.add_argument("--pause-ms", type=float, default=50)
    parser.add_argument("--listeners", type=int, default=1)
    options = parser.parse_args()
    late = sorted(asyncio.run(measure(options)))
    p99 = late[int(len(late) * 0.99)]
    print(f"{options.sagas} sagas, {options.listeners} listeners: the end was heard after")
    print(f"median {median(late):.1f} ms, p99 {p99:.1f} ms, max {late[-1]:.1f} ms")


if __name__ == "__main__":
    main()
