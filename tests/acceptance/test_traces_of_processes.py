"""`saga up --processes` with a collector: every process writes its part of one trace."""

import asyncio
from pathlib import Path

import httpx

from support.running import System, running
from support.traces import Traces, collecting
from support.waiting import eventually

ORDER = {"saga": "order", "data": {"customer_id": "alice", "items": [{"product_id": "boots", "quantity": 1}]}}


def complete_an_order(system: System) -> str:
    """The id of a saga that has ended well."""
    answer = httpx.post(f"{system.url}/v1/sagas", json=ORDER, headers={"Prefer": "wait=10"}, timeout=20)
    assert answer.json()["status"] == "completed"
    return str(answer.json()["id"])


async def test_four_processes_write_one_trace(tmp_path: Path, mongo_url: str, redis_url: str) -> None:
    with collecting() as collector:
        environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "100"}
        with running(tmp_path, mongo_url, redis_url, "--processes", **environment) as system:
            saga_id = await asyncio.to_thread(complete_an_order, system)
            await eventually(lambda: _whole(collector.traces.of_saga(saga_id)), within_s=20)
            assert system.end() == 0
    trace = collector.traces.of_saga(saga_id)
    assert len(trace.ids) == 1
    assert not trace.twins
    participants = {f"saga-participant-{name}" for name in ("inventory", "payment", "orders")}
    assert {span.service for span in trace.spans} == {"saga-orchestrator"} | participants


def _whole(trace: Traces) -> bool:
    return bool(trace.named("saga order")) and len(trace.named("send replies")) == 3 and not trace.orphans


def test_a_dead_collector_costs_no_saga_anything(tmp_path: Path, mongo_url: str, redis_url: str) -> None:
    nobody = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_BSP_SCHEDULE_DELAY": "50"}
    with running(tmp_path, mongo_url, redis_url, **nobody) as system:
        for _ in range(3):
            complete_an_order(system)
        assert system.end() == 0
